"""Arithmetic word problems from a dependency graph, in the manner of iGSM (Ye et al., arXiv:2407.20311, section 2).

A problem is a list of quantities, each given by a number or by an operation on quantities before it: a directed acyclic
graph, told in topological order. Only shortest solutions are kept: every quantity is needed for the one asked for.
Drawing a graph, wording it and solving it are apart, so that other structures, wordings and perturbations can be added
beside these.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.rules.config import ProblemConfig

Operation = Literal["given", "plus", "minus", "double", "triple", "sum"]

_NAMES = (
    "Ann", "Bob", "Cal", "Dee", "Eve", "Fay", "Gus", "Hal", "Ida", "Jim", "Kay", "Lee", "Max", "Ned", "Pam", "Sue",
    "Tom", "Una", "Val", "Wes", "Amy", "Ben", "Dan", "Liz",
)  # fmt: skip


@dataclass(frozen=True)
class Quantity:
    """One node of the graph: who has it, how it comes about, and its value.

    `operands` are indices of quantities before it; `number` is the number given, added or taken away.
    """

    name: str
    operation: Operation
    number: int
    operands: tuple[int, ...]
    value: int


@dataclass(frozen=True)
class Problem:
    """Quantities in the order they are told; the last one is asked for."""

    quantities: tuple[Quantity, ...]

    @property
    def answer(self) -> int:
        return self.quantities[-1].value

    @property
    def question(self) -> str:
        """Return the problem in words."""
        told = " ".join(_tell(self, quantity) for quantity in self.quantities)
        return f"{told} How many has {self.quantities[-1].name}?"


def draw_problems(config: ProblemConfig, count: int, seed: str) -> Iterator[Problem]:
    """Yield `count` different problems; the seed, the config and nothing else decides which."""
    rng, seen = random.Random(seed), set[str]()
    sizes, weights = list(config.operations), list(config.operations.values())
    while len(seen) < count:
        problem = _draw(rng, rng.choices(sizes, weights)[0], config.largest)
        if problem.question not in seen:
            seen.add(problem.question)
            yield problem


def worked_solution(problem: Problem) -> str:
    """Return the worked solution: one equation an operation, then the answer."""
    return _work(problem, [quantity.value for quantity in problem.quantities])


def bare_solution(problem: Problem) -> str:
    """Return the answer alone, as a worked solution would end."""
    return _work(problem, [quantity.value for quantity in problem.quantities]).rpartition(". ")[2]


def wrong_solution(problem: Problem) -> str:
    """Return a worked solution in which every step gets one too many, and goes on from there.

    No operation lets an operand that is too large make its value smaller, so the answer is always wrong.
    """
    values: list[int] = []
    for quantity in problem.quantities:
        value = _apply(quantity, [values[i] for i in quantity.operands])
        values.append(value if quantity.operation == "given" else value + 1)
    return _work(problem, values)


def _draw(rng: random.Random, operations: int, largest: int) -> Problem:
    """Draw until every value is in range and every quantity is needed."""
    while True:
        names = rng.sample(_NAMES, operations + 1)
        quantities: list[Quantity] = []
        for name in names:
            quantities.append(_next(rng, name, quantities, largest))
        in_range = all(0 <= quantity.value <= largest for quantity in quantities)
        if in_range and _needed(quantities) == len(quantities):
            return Problem(tuple(quantities))


def _next(rng: random.Random, name: str, before: Sequence[Quantity], largest: int) -> Quantity:
    if not before:
        number = rng.randint(1, largest)
        return Quantity(name, "given", number, (), number)
    operations: tuple[Operation, ...] = ("plus", "minus", "double", "triple", "sum")
    operation = rng.choice(operations[: 5 if len(before) > 1 else 4])
    operands = tuple(rng.sample(range(len(before)), 2)) if operation == "sum" else (rng.randrange(len(before)),)
    quantity = Quantity(name, operation, rng.randint(1, min(9, largest // 2)), operands, 0)
    value = _apply(quantity, [before[i].value for i in operands])
    return Quantity(name, operation, quantity.number, operands, value)


def _apply(quantity: Quantity, operands: Sequence[int]) -> int:
    match quantity.operation:
        case "given":
            return quantity.number
        case "plus":
            return operands[0] + quantity.number
        case "minus":
            return operands[0] - quantity.number
        case "double":
            return operands[0] * 2
        case "triple":
            return operands[0] * 3
        case "sum":
            return sum(operands)


def _needed(quantities: Sequence[Quantity]) -> int:
    needed, open_ = set[int](), [len(quantities) - 1]
    while open_:
        index = open_.pop()
        needed.add(index)
        open_ += quantities[index].operands
    return len(needed)


def _tell(problem: Problem, quantity: Quantity) -> str:
    name, number = quantity.name, quantity.number
    others = [problem.quantities[i].name for i in quantity.operands]
    match quantity.operation:
        case "given":
            return f"{name} has {number}."
        case "plus":
            return f"{name} has {number} more than {others[0]}."
        case "minus":
            return f"{name} has {number} less than {others[0]}."
        case "double":
            return f"{name} has 2 times {others[0]}."
        case "triple":
            return f"{name} has 3 times {others[0]}."
        case "sum":
            return f"{name} has as {others[0]} and {others[1]}."


def _work(problem: Problem, values: Sequence[int]) -> str:
    """Write a solution with the given values, right or wrong."""
    steps = [_step(q, [values[i] for i in q.operands], v) for q, v in zip(problem.quantities, values, strict=True)]
    return " ".join([*steps, f"#### {values[-1]}"])


def _step(quantity: Quantity, operands: Sequence[int], value: int) -> str:
    match quantity.operation:
        case "given":
            return f"{value}."
        case "plus":
            return f"{operands[0]}+{quantity.number}={value}."
        case "minus":
            return f"{operands[0]}-{quantity.number}={value}."
        case "double":
            return f"{operands[0]}*2={value}."
        case "triple":
            return f"{operands[0]}*3={value}."
        case "sum":
            return f"{operands[0]}+{operands[1]}={value}."

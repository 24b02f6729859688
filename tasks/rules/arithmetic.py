"""Plain documents of true equations: the arithmetic that word problems need, without the words."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tasks.rules.config import Drills


def draw_drills(recipe: Drills) -> Iterator[str]:
    """Yield the documents of a recipe, such as ``7-3=4. 2*3=6.``"""
    rng = random.Random(recipe.seed)
    for _ in range(recipe.count):
        count = rng.randint(1, recipe.equations)
        yield " ".join(_equation(rng, recipe.largest) for _ in range(count))


def _equation(rng: random.Random, largest: int) -> str:
    """Draw until the value is in range; factors are 2 and 3, as in the problems."""
    while True:
        left, sign = rng.randint(0, largest), rng.choice("+-*")
        right = rng.choice((2, 3)) if sign == "*" else rng.randint(1, largest)
        value = {"+": left + right, "-": left - right, "*": left * right}[sign]
        if 0 <= value <= largest:
            return f"{left}{sign}{right}={value}."

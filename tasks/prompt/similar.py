"""A new problem like a given one: what a model's answer to `SIMILAR_TEMPLATE` holds, if anything.

Sources: the paper's *augment* step (arXiv:2510.07169, "weakness-augmented"); it gives no prompt, the checks are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any

from tasks.core.identity import fingerprint
from tasks.core.rows import Row
from tasks.core.text import spelling, words

_MARKED = re.compile(r"<problem>(.*?)</problem>", re.DOTALL)
_SHINGLE = 3


class NoProblem(Exception):  # noqa: N818 - not an error: the answer is dropped on the record
    """An answer without a usable new problem; `reason` is one of a few, `detail` is its own."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def new_problem(answer: str, source: str, largest_overlap: float) -> str:
    """Return the new problem that a model wrote when it was given `source`.

    `largest_overlap` is the largest share of 3-word shingles (Jaccard, 0 to 1) that the two may have in common.

    Raises:
        NoProblem: if it wrote none, several, an empty one, or one too close to its source.
    """
    marked: list[str] = [found.strip() for found in _MARKED.findall(answer.rpartition("</think>")[2])]
    if len(marked) != 1:
        raise NoProblem("no new problem" if not marked else "several new problems")
    if not marked[0]:
        raise NoProblem("no new problem", "empty")
    overlap = _jaccard(marked[0], source)
    if overlap > largest_overlap:
        raise NoProblem("too close to its source", f"{overlap:.2f} of the shingles in common")
    return marked[0]


def problem_record(
    name: str, source: Mapping[str, Any], outcome: Mapping[str, Any], largest_overlap: float, seeds: Set[str]
) -> Row:
    """Return the record (RECORDS, without an answer) of the new problem in an outcome.

    `seeds` are the `spelling` of all given problems.

    Raises:
        NoProblem: if it holds none that can be used.
    """
    if outcome["finish"] == "length":
        raise NoProblem("cut at the limit")
    problem = new_problem(outcome["text"], source["question"], largest_overlap)
    if spelling(problem) in seeds:
        raise NoProblem("one of the given problems")
    messages = [{"role": "user", "content": problem}]
    return {
        "row_id": fingerprint([name, None, messages])[:32],
        "source": name,
        "origin": f"{outcome['row_id']}#{outcome['sample']}",
        "text": None,
        "messages": messages,
    }


def _jaccard(one: str, other: str) -> float:
    first, second = _shingles(one), _shingles(other)
    return len(first & second) / len(first | second)


def _shingles(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[start : start + _SHINGLE]) for start in range(max(1, len(found) - _SHINGLE + 1))}

"""The items that are shown, with what both arms answered: drawn by a fixed rule, so that nobody picks them.

Those of the benchmarks that decide come first; among them the largest change, then the order of a hash of their names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tasks.core.ledgers import Change, Difficulty
from tasks.ledger.changes import Paired, kinds

#: The most characters of a text that are shown from its beginning and from its end, where an answer mostly is.
_HEAD, _TAIL = 500, 400


class Example(NamedTuple):
    """An item that is shown; `seed` is the place of the seed at which both arms' outputs are."""

    benchmark: str
    item: str
    topic: str
    level: str
    difficulty: Difficulty
    change: Change
    control: float
    candidate: float
    seed: int


def examples(pairs: Sequence[Paired], kind: Change, primary: Sequence[str], most: int) -> list[Example]:
    """Return up to `most` items that were fixed, or broken."""
    found = [one for pair in pairs for one in _of(pair, kind)]
    return sorted(found, key=lambda one: _order(one, primary))[:most]


def excerpt(text: str | None, head: int = _HEAD, tail: int = _TAIL) -> str:
    """Return a text's beginning and end, all of it where it is short."""
    plain = (text or "").strip()
    return (
        plain
        if len(plain) <= head + tail
        else f"{plain[:head].rstrip()} […] {plain[-tail:].lstrip() if tail else ''}".rstrip()
    )


def _of(pair: Paired, kind: Change) -> list[Example]:
    sign = 1 if kind == "fixed" else -1
    difficulty = pair.difficulty
    return [
        Example(
            benchmark=pair.benchmark,
            item=pair.items[place],
            topic=pair.topics[place],
            level=pair.levels[place],
            difficulty=difficulty[place],
            change=kind,
            control=float(pair.control[:, place].mean()),
            candidate=float(pair.candidate[:, place].mean()),
            seed=int(np.argmax(sign * (pair.candidate[:, place] - pair.control[:, place]))),
        )
        for place, found in enumerate(kinds(pair.change))
        if found == kind
    ]


def _order(one: Example, primary: Sequence[str]) -> tuple[bool, float, str]:
    drawn = hashlib.sha256(f"{one.benchmark}\n{one.item}".encode()).hexdigest()
    return one.benchmark not in primary, -round(abs(one.candidate - one.control), 6), drawn

"""The proof that no benchmark item is among a set of questions: equal hashes of normalised words, nothing estimated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from tasks.core.text import spelling


class SharedItem(NamedTuple):
    """A question that is a benchmark item."""

    row_id: str
    benchmark: str
    item: str


def shared_items(questions: Iterable[tuple[str, str]], items: Iterable[tuple[str, str, str]]) -> list[SharedItem]:
    """Return every question that is, word for word, a benchmark item; empty is the proof that none is.

    Args:
        questions: (row_id, text) of what would be trained on or used as a seed.
        items: (benchmark, item, text), as in ITEMS.
    """
    named = defaultdict[str, list[tuple[str, str]]](list)
    for benchmark, item, text in items:
        named[spelling(text)].append((benchmark, item))
    return [SharedItem(row_id, *name) for row_id, text in questions for name in named.get(spelling(text), ())]

"""What one training row shares with benchmark items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tasks.core.text import Hashes, ngrams, word_hashes, words
from tasks.decontaminate.index import Indices, ItemIndex

_SIEVE_BITS = 24
_TO_SIEVE = np.uint64(64 - _SIEVE_BITS)


class Overlap(NamedTuple):
    """What a row shares with one item, by its position in the index: a share of its n-grams and the longest span."""

    item: int
    ratio: float
    span: str


class Matcher:
    """Finds the items of an index in texts. A table of 2^24 flags turns most n-grams away before any search."""

    def __init__(self, index: ItemIndex) -> None:
        self._index = index
        self._sieve = np.zeros(1 << _SIEVE_BITS, bool)
        self._sieve[index.grams >> _TO_SIEVE] = True

    def overlaps(self, text: str, least: float) -> list[Overlap]:
        """Return the items of which `text` holds a share of `least` or more, by ratio, highest first.

        The ratio is that of the item's text which is shared most; spans are of normalised words, boilerplate left out.
        """
        row = words(text)
        hashes = word_hashes(row)
        best: dict[int, Overlap] = {}
        for length in self._index.lengths:
            for overlap in self._of_length(row, hashes, length, least):
                if overlap.item not in best or overlap.ratio > best[overlap.item].ratio:
                    best[overlap.item] = overlap
        return sorted(best.values(), key=lambda overlap: (-overlap.ratio, overlap.item))

    def named(self, overlap: Overlap) -> dict[str, Any]:
        """Return an overlap as it stands in OVERLAPS, the row's id left out."""
        item = self._index.items[overlap.item]
        return {"benchmark": item.benchmark, "item": item.item, "ratio": overlap.ratio, "span": overlap.span}

    def _of_length(self, row: list[str], hashes: Hashes, length: int, least: float) -> Iterator[Overlap]:
        places, entries = self._hits(hashes, length)
        holders, places, entries = self._held_by(places, entries)
        distinct = np.unique(holders * len(self._index.grams) + entries)
        found, counts = np.unique(distinct // len(self._index.grams), return_counts=True)
        ratios = counts / self._index.sizes[found]
        for holder, ratio in zip(found[ratios >= least], ratios[ratios >= least], strict=True):
            start, stop = _longest_run(np.unique(places[holders == holder]))
            span = " ".join(row[start : stop + length - 1])
            yield Overlap(int(self._index.item_of[holder]), float(ratio), span)

    def _hits(self, words: Hashes, length: int) -> tuple[Indices, Indices]:
        """Return at which words of the row an n-gram of the index starts, and which one it is."""
        hashes = ngrams(words, length)[: max(0, len(words) - length + 1)]
        places = np.flatnonzero(self._sieve[hashes >> _TO_SIEVE])
        entries = np.searchsorted(self._index.grams, hashes[places])
        is_hit = self._index.grams[np.minimum(entries, len(self._index.grams) - 1)] == hashes[places]
        return places[is_hit], entries[is_hit]

    def _held_by(self, places: Indices, entries: Indices) -> tuple[Indices, Indices, Indices]:
        """Return the hits once for each text that holds them: the text, the place, the n-gram."""
        starts = self._index.offsets[entries]
        counts = self._index.offsets[entries + 1] - starts
        before = np.cumsum(counts) - counts
        holders = self._index.texts[np.arange(counts.sum()) + np.repeat(starts - before, counts)]
        return holders, np.repeat(places, counts), np.repeat(entries, counts)


def _longest_run(places: Indices) -> tuple[int, int]:
    """Return the first and one past the last of the longest run of consecutive numbers in a sorted array."""
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    runs = np.split(places, breaks)
    longest = max(runs, key=len)
    return int(longest[0]), int(longest[-1]) + 1

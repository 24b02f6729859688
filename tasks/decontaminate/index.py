"""The n-grams of all benchmark items, as sorted arrays of 64-bit hashes with the texts that hold each.

An n-gram that many items of a benchmark share ("solve the following problem and give your answer as") says nothing of
any one of them: it is left out of the index and listed as boilerplate. An item's ratio is of what remains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.core.text import Hashes, ngrams, word_hashes, words
from tasks.decontaminate.config import DecontaminateConfig

Indices = NDArray[np.int64]

#: A question may be asked in four variants (MathBench), and that is no template.
_NEVER_BOILERPLATE = 4


class Item(NamedTuple):
    """A benchmark item's name."""

    benchmark: str
    item: str


class Boilerplate(NamedTuple):
    """An n-gram, as normalised words, that `items` items of a benchmark share."""

    benchmark: str
    ngram: str
    items: int


@dataclass(frozen=True)
class ItemIndex:
    """Which n-gram is in which text of which item.

    Attributes:
        items: every item, in the order they came.
        item_of: the item of each text, by position in `items`; shape (texts,).
        sizes: how many distinct n-grams count for each text; 0 where it cannot be checked.
        lengths: the numbers of words that n-grams of the index have.
        grams: the hashes, sorted and distinct.
        offsets: where the texts of each hash start in `texts`; one longer than `grams`.
        texts: by hash, the texts that hold it.
        boilerplate: what was left out.
    """

    items: list[Item]
    item_of: Indices
    sizes: Indices
    lengths: list[int]
    grams: Hashes
    offsets: Indices
    texts: Indices
    boilerplate: list[Boilerplate]

    def checked(self) -> NDArray[np.bool_]:
        """Return for each item whether any of its texts is in the index; shape (items,)."""
        found = np.zeros(len(self.items), bool)
        found[self.item_of[self.sizes > 0]] = True
        return found


@dataclass(frozen=True)
class _Grams:
    """The n-grams of all texts, each once a text; all arrays have one entry for each.

    Attributes:
        hashes: the n-gram itself.
        texts: the text that holds it; `places` the word that it starts at.
        items: the item of that text; `benchmarks` the benchmark of that item.
    """

    hashes: Hashes
    texts: Indices
    places: Indices
    items: Indices
    benchmarks: Indices

    def shared_by(self) -> Indices:
        """Return how many items of its own benchmark hold each n-gram."""
        order = np.lexsort((self.items, self.hashes, self.benchmarks))
        hashes, items, benchmarks = self.hashes[order], self.items[order], self.benchmarks[order]
        is_first = _changes(hashes) | _changes(benchmarks)
        group = np.cumsum(is_first) - 1
        count = np.bincount(group, weights=is_first | _changes(items)).astype(np.int64)
        shared = np.empty(len(order), np.int64)
        shared[order] = count[group]
        return shared


def build_index(rows: Iterable[tuple[str, str, str]], config: DecontaminateConfig) -> ItemIndex:
    """Return the index of items given as (benchmark, item, text); an item of several texts comes several times."""
    numbers: dict[Item, int] = {}
    item_of, texts = [], []
    for benchmark, item, text in rows:
        item_of.append(numbers.setdefault(Item(benchmark, item), len(numbers)))
        texts.append(text)
    items, of = list(numbers), np.array(item_of, np.int64)
    _, benchmark_of, sizes = np.unique([item.benchmark for item in items], return_inverse=True, return_counts=True)

    lengths, grams = _grams(texts, of, benchmark_of, config)
    shared = grams.shared_by()
    is_template = shared > np.maximum(_NEVER_BOILERPLATE, config.boilerplate * sizes)[grams.benchmarks]
    hashes, holders = grams.hashes[~is_template], grams.texts[~is_template]
    order = np.argsort(hashes, kind="stable")
    distinct, starts = np.unique(hashes[order], return_index=True)
    return ItemIndex(
        items=items,
        item_of=of,
        sizes=np.bincount(holders, minlength=len(texts)),
        lengths=lengths,
        grams=distinct,
        offsets=np.append(starts, len(hashes)),
        texts=holders[order],
        boilerplate=list(_boilerplate(grams, shared, np.flatnonzero(is_template), items, texts, config.n)),
    )


def _grams(
    texts: list[str], item_of: Indices, benchmark_of: Indices, config: DecontaminateConfig
) -> tuple[list[int], _Grams]:
    lengths, hashes, places = set[int](), [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for text in texts:
        found = words(text)
        long_enough = len(found) >= config.min_words
        own, first = np.unique(ngrams(word_hashes(found), config.n)[: None if long_enough else 0], return_index=True)
        hashes.append(own)
        places.append(first)
        if long_enough:
            lengths.add(min(config.n, len(found)))
    holder = np.repeat(np.arange(len(texts)), [len(own) for own in hashes[1:]])
    items = item_of[holder]
    grams = _Grams(np.concatenate(hashes), holder, np.concatenate(places), items, benchmark_of[items])
    return sorted(lengths), grams


def _boilerplate(
    grams: _Grams, shared: Indices, template: Indices, items: list[Item], texts: list[str], n: int
) -> Iterator[Boilerplate]:
    """Yield what the positions `template` of `grams` say, each n-gram of a benchmark once."""
    seen = set[tuple[int, int]]()
    for at in template:
        if (key := (int(grams.benchmarks[at]), int(grams.hashes[at]))) not in seen:
            seen.add(key)
            start = grams.places[at]
            ngram = " ".join(words(texts[grams.texts[at]])[start : start + n])
            yield Boilerplate(items[grams.items[at]].benchmark, ngram, int(shared[at]))


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a sorted array has another value than the one before; the first always."""
    return np.concatenate([np.ones(min(1, len(values)), bool), values[1:] != values[:-1]])

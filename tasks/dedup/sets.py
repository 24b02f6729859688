"""Rows as sets of shingles: the sets on disk, their LSH bands in memory.

Rows with equal sets share one, so 10^5 copies of a page cost what one of them costs, here and in every later step. The
sets lie end to end in one file that is mapped, not read: the memory of a row is its bands (8 bytes each), its row's
number and one digest.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.core.text import Hashes, fold, ngrams, word_hashes, words
from tasks.dedup.config import DedupConfig
from tasks.dedup.engine import MinHasher

_BATCH_SETS, _BATCH_SHINGLES = 4096, 1 << 20

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class ShingleSets:
    """The distinct shingle sets of a stream of texts.

    Attributes:
        of_row: for each text, in order, the number of its set; shape (texts,).
        offsets: where each set starts in `shingles`, and behind them where the last one ends; shape (sets + 1,).
        shingles: the members of all sets end to end, each set sorted; mapped from disk.
        bands: for each set, a hash of each band of its signature; shape (sets, bands).
    """

    of_row: Indices
    offsets: Indices
    shingles: Hashes
    bands: Hashes

    def members(self, number: int) -> Hashes:
        """Return the members of one set, sorted."""
        return self.shingles[self.offsets[number] : self.offsets[number + 1]]

    def jaccard(self, one: int, other: int) -> float:
        """Return the exact Jaccard similarity of two sets, 0 to 1."""
        shared = len(np.intersect1d(self.members(one), self.members(other), assume_unique=True))
        return shared / (len(self.members(one)) + len(self.members(other)) - shared)


def shingle_sets(texts: Iterable[str], config: DedupConfig, hasher: MinHasher, file: Path) -> ShingleSets:
    """Return the shingle sets of `texts`, whose members are written to `file`."""
    of_row, sizes, bands = array("q"), array("q"), [np.empty((0, config.bands), np.uint64)]
    with file.open("wb") as out:
        for batch in _batches(_new_sets((shingles(text, config) for text in texts), of_row)):
            members = np.concatenate(batch)
            members.tofile(out)
            sizes.extend(map(len, batch))
            offsets = np.cumsum([0, *map(len, batch)]).astype(np.uint64)
            signatures = hasher.signatures(members, offsets).reshape(len(batch), config.bands, config.rows)
            bands.append(fold([signatures[:, :, row] for row in range(config.rows)]))
    return ShingleSets(
        of_row=np.array(of_row, np.int64),
        offsets=np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]),
        shingles=np.memmap(file, np.uint64, "r") if sizes else np.empty(0, np.uint64),
        bands=np.concatenate(bands),
    )


def shingles(text: str, config: DedupConfig) -> Hashes:
    """Return the set of word shingles of a text as sorted, distinct 64-bit hashes.

    A question's shingles are hashed together with the set of its numbers: questions of other numbers share none, so
    they are never compared, and those of the same numbers share what they would without.
    """
    found = words(text)
    hashes = word_hashes(found)
    ordered = ngrams(hashes, config.shingle_words)
    if config.key == "question":
        numbers = np.unique(hashes[[word[:1].isdecimal() for word in found]])
        ordered = ordered ^ fold(numbers[:, None]) if len(numbers) else ordered
    ordered.sort()
    distinct: Hashes = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]
    return distinct


def _new_sets(sets: Iterable[Hashes], of_row: array[int]) -> Iterator[Hashes]:
    """Yield each set that was not there before; note in `of_row` which one each row has."""
    numbers: dict[bytes, int] = {}
    for members in sets:
        digest = hashlib.blake2b(members.tobytes(), digest_size=16).digest()
        if is_new := digest not in numbers:
            numbers[digest] = len(numbers)
        of_row.append(numbers[digest])
        if is_new:
            yield members


def _batches(sets: Iterable[Hashes]) -> Iterator[list[Hashes]]:
    """Yield sets in batches, small ones by their number and large ones by their members."""
    batch, members = list[Hashes](), 0
    for one in sets:
        batch.append(one)
        members += len(one)
        if len(batch) == _BATCH_SETS or members >= _BATCH_SHINGLES:
            yield batch
            batch, members = [], 0
    if batch:
        yield batch

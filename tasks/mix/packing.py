"""Best-fit packing: whole documents into fixed-length sequences with as little padding as they allow.

Sequences are filled one after the other: the longest document left, then those that fill the rest best, found by
dynamic programming over sums of lengths (minimum bin slack: Gupta and Ho, "A new heuristic algorithm for the
one-dimensional bin-packing problem", 1999). Best-fit decreasing (arXiv:2404.10830, section 3.1; `trl.pack_dataset`)
leaves more of a sequence empty where documents are short and alike. It is written by hand for that reason, and because
row ids must travel with their documents. A window of documents is packed at a time, so memory stays flat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from tasks.mix.config import PackSize

#: The label of a token that no loss is taken on.
IGNORED = -100
WINDOW = 20_000
_LENGTHS_TRIED = 64

T = TypeVar("T")


class Document(NamedTuple):
    """One tokenised document: its row's id, its tokens, and for each token whether loss is taken on it."""

    row_id: str
    tokens: Sequence[int]
    supervised: Sequence[bool]


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Return bins of indices into `lengths`, each summing to `capacity` at most; they depend on nothing else.

    Raises:
        ValueError: if a length is not between 1 and `capacity`.
    """
    if any(not 0 < length <= capacity for length in lengths):
        raise ValueError(f"lengths must lie between 1 and {capacity}")
    left: dict[int, list[int]] = {}  # by length, the indices not yet in a bin, the first one last
    for index in range(len(lengths) - 1, -1, -1):
        left.setdefault(lengths[index], []).append(index)
    bins: list[list[int]] = []
    while left:
        longest = max(left)
        chosen = [longest, *_fill(capacity - longest, {n: len(i) - (n == longest) for n, i in left.items()})]
        bins.append([left[length].pop() for length in chosen])
        left = {length: indices for length, indices in left.items() if indices}
    return bins


def _fill(room: int, stock: Mapping[int, int]) -> list[int]:
    """Return lengths out of `stock` (how many there are of each) whose sum comes closest to `room` from below.

    `reach` has bit n set where some choice sums to n. Of very many different lengths only some are tried, which is
    enough to fill any room.
    """
    fitting = sorted((length for length, count in stock.items() if count and length <= room), reverse=True)
    fitting = fitting[:: max(1, len(fitting) // _LENGTHS_TRIED)] + fitting[-1:]
    reach, steps = 1, list[tuple[int, int, int]]()
    for length in sorted(set(fitting), key=lambda n: (-stock[n], n)):  # plenty first, so that all lengths last
        for times in _powers(min(stock[length], room // length)):
            steps.append((length, times, reach))
            reach |= (reach << length * times) & ((1 << room + 1) - 1)
        if reach >> room:
            break
    chosen, total = list[int](), reach.bit_length() - 1
    for length, times, before in reversed(steps):
        if not before >> total & 1:
            chosen += [length] * times
            total -= length * times
    return chosen


def _powers(count: int) -> Iterator[int]:
    """Yield numbers with which every count up to `count`, and no more, can be summed."""
    power = 1
    while count > 0:
        yield min(power, count)
        count, power = count - power, power * 2


def pack(documents: Iterable[Document], sequence_length: int) -> Iterator[dict[str, Any]]:
    """Yield packed sequences (rows of the PACKS table) of up to `sequence_length` tokens.

    The first token of each document carries no loss: nothing before it may predict it.
    """
    for window in _windows(documents, WINDOW):
        for indices in best_fit([len(d.tokens) for d in window], sequence_length):
            yield _sequence([window[i] for i in indices])


def pack_size(rows: Iterable[dict[str, Any]]) -> PackSize:
    """Return what packed sequences hold, in one pass."""
    sequences = samples = tokens = supervised = 0
    for row in rows:
        sequences += 1
        samples += len(row["lengths"])
        tokens += len(row["input_ids"])
        supervised += sum(label != IGNORED for label in row["labels"])
    return PackSize(sequences=sequences, samples=samples, tokens=tokens, supervised_tokens=supervised)


def _sequence(documents: Sequence[Document]) -> dict[str, Any]:
    return {
        "input_ids": [token for d in documents for token in d.tokens],
        "labels": [label for d in documents for label in _labels(d)],
        "lengths": [len(d.tokens) for d in documents],
        "row_ids": [d.row_id for d in documents],
    }


def _labels(document: Document) -> list[int]:
    pairs = zip(document.tokens, document.supervised, strict=True)
    labels = [token if counts else IGNORED for token, counts in pairs]
    return [IGNORED, *labels[1:]]


def _windows(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while window := list(islice(iterator, size)):
        yield window

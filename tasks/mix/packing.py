"""Best-fit packing: whole documents into fixed-length sequences with as little padding as they allow.

Sequences are filled one after the other: the longest document left, then those that fill the rest best, found by
dynamic programming over sums of lengths (minimum bin slack: Gupta and Ho, "A new heuristic algorithm for the
one-dimensional bin-packing problem", 1999). Best-fit decreasing (arXiv:2404.10830, section 3.1; `trl.pack_dataset`)
leaves more of a sequence empty where documents are short and alike. It is written by hand for that reason, and because
row ids must travel with their documents. A window of documents is packed at a time, bounded by their number and by
their tokens, and tokens are held four bytes each, so memory stays flat however many and however long they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tasks.mix.config import PackSize

Tokens = NDArray[np.int32]

#: The label of a token that no loss is taken on.
IGNORED = -100
WINDOW_DOCUMENTS = 20_000
#: 64 MiB; at least 128 sequences to choose from even where one has 131,072 tokens.
WINDOW_TOKENS = 1 << 24
_LENGTHS_TRIED = 64

T = TypeVar("T")


class Document(NamedTuple):
    """One tokenised document: its row's id, its tokens [n], and the first of them that loss is taken on."""

    row_id: str
    tokens: Tokens
    loss_from: int = 0


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
    for window in windows(documents, WINDOW_DOCUMENTS, lambda d: len(d.tokens), WINDOW_TOKENS):
        for indices in best_fit([len(d.tokens) for d in window], sequence_length):
            yield _sequence([window[i] for i in indices])
        window.clear()  # or it would lie beside the next one while that fills


def pack_size(rows: Iterable[Mapping[str, Any]]) -> PackSize:
    """Return what packed sequences hold, in one pass."""
    sequences = samples = tokens = supervised = 0
    for row in rows:
        sequences += 1
        samples += len(row["lengths"])
        tokens += len(row["input_ids"])
        supervised += int(np.count_nonzero(row["labels"] != IGNORED))
    return PackSize(sequences=sequences, samples=samples, tokens=tokens, supervised_tokens=supervised)


def windows(items: Iterable[T], count: int, weight: Callable[[T], int], limit: int) -> Iterator[list[T]]:
    """Yield consecutive items in lists of up to `count`, each closed by the item that brings its weight to `limit`."""
    window, total = list[T](), 0
    for item in items:
        window.append(item)
        total += weight(item)
        if len(window) == count or total >= limit:
            yield window
            window, total = [], 0
    if window:
        yield window


def _sequence(documents: Sequence[Document]) -> dict[str, Any]:
    return {
        "input_ids": np.concatenate([d.tokens for d in documents]),
        "labels": np.concatenate([_labels(d) for d in documents]),
        "lengths": [len(d.tokens) for d in documents],
        "row_ids": [d.row_id for d in documents],
    }


def _labels(document: Document) -> Tokens:
    labels = document.tokens.copy()
    labels[: max(1, document.loss_from)] = IGNORED
    return labels

"""How much of the truth an approximate index finds, and searching deeper until it is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tasks.core.errors import EngineError
from tasks.retrieve.engine import Neighbours

#: By how much one inner product of float32 vectors of length one may differ from another way of adding it up.
_ROUNDING = 1e-6


class Depth(NamedTuple):
    """How deep an index searches (probes of IVF, candidates of HNSW) and the recall that it has there."""

    depth: int
    recall: float


def recall(found: Neighbours, truth: Neighbours) -> float:
    """Return the share of true neighbours that were found, by score: what is as near as the k-th true one counts.

    By score and not by row, since of equal texts any may be found (arXiv:1807.05614, section 2, has it so too).
    """
    import numpy as np

    true = truth.rows >= 0
    least = np.where(true, truth.scores, np.inf).min(axis=1, keepdims=True)
    hits = (found.rows >= 0) & (found.scores >= least - _ROUNDING)
    return float(hits.sum() / true.sum())


def doubled(first: int, most: int) -> Iterator[int]:
    """Yield `first`, twice that and so on, and `most` at last."""
    depth = min(first, most)
    while depth < most:
        yield depth
        depth *= 2
    yield most


def deepen(search: Callable[[int], Neighbours], truth: Neighbours, depths: Iterator[int], least: float) -> Depth:
    """Return the first depth whose recall is `least` or more.

    Raises:
        EngineError: if none reaches it.
    """
    best = Depth(0, 0.0)
    for depth in depths:
        best = Depth(depth, recall(search(depth), truth))
        if best.recall >= least:
            return best
    raise EngineError(
        f"the index finds {100 * best.recall:.1f} % of the true neighbours at its deepest search ({best.depth}), "
        f"and {100 * least:.1f} % are asked for",
        remedy="take the ivf index, give hnsw more `links` and `build_depth`, or raise `flat_rows` above the pool's "
        "rows for exact search",
    )

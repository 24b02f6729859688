"""Clusters of near-duplicate sets: LSH proposes, exact Jaccard decides, connected components gather.

Two sets are joined where they agree on a whole band of their signatures and their exact Jaccard similarity reaches the
threshold. The clusters are the connected components of that graph, what a union-find over the verified pairs ends with:
they depend on which sets there are and on nothing else. scipy finds them after each band, in compiled code, so that
a pair that other rows already connect is never compared again.

A bucket of k sets that are all alike costs k comparisons, not k^2: those that its first set reaches are placed at once.
What remains quadratic is a bucket of many sets that are alike in a whole band and yet not near-duplicates; more rows a
band make such buckets rare.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tasks.core.text import Hashes
from tasks.dedup.sets import Indices, ShingleSets

Pair = tuple[int, int]

_ROUNDING = 1e-9


def clusters(sets: ShingleSets, threshold: float) -> Indices:
    """Return the cluster of each set as a number; sets of one cluster share it. Shape (sets,)."""
    count = len(sets.offsets) - 1
    labels, pairs = np.arange(count), np.empty((0, 2), np.int64)
    for band in sets.bands.T:
        found = [pair for bucket in _buckets(band, labels) for pair in _verified_pairs(bucket, sets, labels, threshold)]
        if found:
            pairs = np.concatenate([pairs, np.array(found)])
            labels = _components(pairs, count)
    return labels


def _components(pairs: Indices, count: int) -> Indices:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    labels: Indices = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def _buckets(band: Hashes, labels: Indices) -> Iterator[Indices]:
    """Yield the sets that share a band's hash, where they are not all in one cluster yet."""
    order = np.argsort(band, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], band[order][1:] != band[order][:-1]]))
    low, high = (ends.reduceat(labels[order], starts) for ends in (np.minimum, np.maximum))
    stops = np.append(starts[1:], len(order))
    for run in np.flatnonzero(low != high):
        yield order[starts[run] : stops[run]]


class _Bucket:
    """The sets of one bucket, their members renumbered from 0, so that a lookup replaces every search."""

    def __init__(self, numbers: Indices, sets: ShingleSets) -> None:
        members = [sets.members(number) for number in numbers]
        distinct, self._members = np.unique(np.concatenate(members), return_inverse=True)
        self._sizes = np.array([len(one) for one in members])
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._held = np.zeros(len(distinct), np.int64)

    def jaccard(self, one: int, others: Indices) -> NDArray[np.float64]:
        """Return the exact Jaccard similarity of the bucket's set `one` with each of `others`."""
        sizes = self._sizes[others]
        starts = np.cumsum(sizes) - sizes
        members = self._members[np.arange(sizes.sum()) + np.repeat(self._starts[others] - starts, sizes)]
        own = self._members[self._starts[one] : self._starts[one] + self._sizes[one]]
        self._held[own] = 1
        shared = np.add.reduceat(self._held[members], starts)
        self._held[own] = 0
        similarity: NDArray[np.float64] = shared / (self._sizes[one] + sizes - shared)
        return similarity


def _verified_pairs(numbers: Indices, sets: ShingleSets, labels: Indices, threshold: float) -> Iterator[Pair]:
    """Yield near-duplicates among the sets of a bucket, enough of them to connect all that any of them would."""
    bucket, clusters = _Bucket(numbers, sets), labels[numbers]
    waiting = np.arange(len(numbers))
    while len(waiting) > 1:
        pivot, waiting = int(waiting[0]), waiting[1:]
        distance = np.zeros(len(numbers))
        distance[waiting] = 1 - bucket.jaccard(pivot, waiting)
        reached = [pivot]
        while reached and len(waiting):
            one = reached.pop()
            # Jaccard distance is a metric: what is this far from the pivot cannot be near to `one`.
            near = waiting[distance[waiting] <= distance[one] + (1 - threshold) + _ROUNDING]
            if len(near):
                near = near[bucket.jaccard(one, near) >= threshold]
            yield from ((int(numbers[one]), int(numbers[other])) for other in near)
            joined = np.isin(clusters[waiting], clusters[[one, *near]])
            reached.extend(waiting[joined].tolist())
            waiting = waiting[~joined]

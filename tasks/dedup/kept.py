"""Which row of a cluster is kept: a rule that knows no order of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.dedup.sets import Indices


def kept_rows(clusters: Indices, sources: Sequence[str], row_ids: Sequence[str], priority: Sequence[str]) -> Indices:
    """Return for each row the row that is kept in its place, by position: itself where it is the one.

    That is the row of the best source by `priority`, and of those the one with the smallest `row_id`.

    Args:
        clusters: the cluster of each row.
        sources: the source of each row; `row_ids` its id.
        priority: names of sources, best first; all others come behind them, alike.
    """
    rank = {source: place for place, source in enumerate(priority)}
    _, cluster, count = np.unique(clusters, return_inverse=True, return_counts=True)
    kept = np.arange(len(clusters))
    doubled = np.flatnonzero(count[cluster] > 1)
    best_first = np.array(
        sorted(doubled.tolist(), key=lambda row: (rank.get(sources[row], len(rank)), row_ids[row])), np.int64
    )
    of_cluster, first = np.unique(cluster[best_first], return_index=True)
    best = np.empty(len(count), np.int64)
    best[of_cluster] = best_first[first]
    kept[doubled] = best[cluster[doubled]]
    return kept

"""What a candidate gains on the plain mean of the benchmarks that decide: one figure to set its cost against.

Every benchmark counts alike, however many items it has: an item's difference is weighted by N / (B n), with n items of
its own benchmark, N of all B. Then the items of all of them are one set, and the estimator is that of a single
benchmark (`deltas`): training noise that moves all benchmarks together is seen, since seeds stay paired.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.compare.deltas import estimate, mean_squares
from tasks.compare.pairing import Paired
from tasks.core.results import Comparison, OverallDelta


def with_overall(comparison: Comparison, pairs: Sequence[Paired]) -> Comparison:
    """Return a comparison whose candidates say what they gain on the mean of the primaries."""
    gains = {one.name: one for one in comparison.candidates}
    primaries = [delta.benchmark for delta in comparison.candidates[0].deltas if delta.role == "primary"]
    found = dict(zip(pairs[0].arms[1:], overall_deltas(pairs, primaries, comparison.confidence), strict=True))
    candidates = tuple(one.model_copy(update={"overall": found[name]}) for name, one in gains.items())
    return comparison.model_copy(update={"candidates": candidates})


def overall_deltas(pairs: Sequence[Paired], primaries: Sequence[str], confidence: float) -> list[OverallDelta]:
    """Return each candidate's difference on the mean of some benchmarks, in points, in the order of the arms."""
    chosen = [pair for pair in pairs if pair.benchmark in primaries]
    total = sum(pair.correct.shape[2] for pair in chosen)
    weighted = [pair.correct * (total / (len(chosen) * pair.correct.shape[2])) for pair in chosen]
    offsets = np.cumsum([0, *(int(pair.cluster.max()) + 1 for pair in chosen[:-1])])
    cluster = np.concatenate([pair.cluster + offset for pair, offset in zip(chosen, offsets, strict=True)])
    estimated = estimate(mean_squares(np.concatenate(weighted, axis=2), cluster))
    low, high = estimated.interval(confidence)
    return [
        OverallDelta(
            delta=round(100 * float(estimated.mean[k]), 6),
            low=round(100 * float(low[k]), 6),
            high=round(100 * float(high[k]), 6),
            standard_error=round(100 * float(estimated.standard_error[k]), 6),
            degrees_of_freedom=round(float(estimated.degrees_of_freedom[k]), 4),
            benchmarks=tuple(pair.benchmark for pair in chosen),
        )
        for k in range(len(estimated.mean))
    ]

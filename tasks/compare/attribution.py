"""What a recipe's filters are worth: the candidate against itself, made without one of them.

Both are arms of the study, paired by item and seed like any other. An arm that lacks a filter has no verdict and counts
in no test of one: it only says what the filter changed. Its seed variance is pooled over all arms (`deltas`).
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.compare.config import FilterArm
from tasks.compare.deltas import estimate, mean_squares
from tasks.compare.pairing import Paired
from tasks.core.results import FilterDelta


def filter_deltas(pairs: Sequence[Paired], lacking: Sequence[FilterArm], confidence: float) -> tuple[FilterDelta, ...]:
    """Return what each filter is worth on each benchmark, in points: its candidate minus the arm that lacks it.

    Args:
        pairs: every benchmark over all arms of the study, those of `lacking` and their candidates among them.
    """
    return tuple(_delta(pair, one, confidence) for one in lacking for pair in pairs)


def without_filters(candidates: Sequence[str], lacking: Sequence[FilterArm]) -> list[str]:
    """Return a sentence for each candidate without a filter to leave out, in a study that asks what filters are worth.

    Args:
        candidates: all of the study; `lacking` its arms that lack a filter, none where it does not ask.
    """
    have = {one.candidate for one in lacking}
    return [
        f"{name}: attribute_filters has nothing to leave out, since no recipe with a filter made it"
        for name in candidates
        if have and name not in have
    ]


def _delta(pair: Paired, one: FilterArm, confidence: float) -> FilterDelta:
    order = [one.arm, one.candidate, *(arm for arm in pair.arms if arm not in (one.arm, one.candidate))]
    estimated = estimate(mean_squares(pair.correct[[pair.arms.index(arm) for arm in order]], pair.cluster))
    low, high = estimated.interval(confidence)
    return FilterDelta(
        candidate=one.candidate,
        filter=one.filter,
        benchmark=pair.benchmark,
        delta=round(100 * float(estimated.mean[0]), 6),
        low=round(100 * float(low[0]), 6),
        high=round(100 * float(high[0]), 6),
        n_items=pair.correct.shape[2],
        n_seeds=len(pair.seeds),
    )

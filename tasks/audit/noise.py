"""Whether printed deltas could be chance, over items alone.

Two scores p and q on the same n items differ by a delta with the standard error

    sqrt((p(1-p) + q(1-q) - 2 r sqrt(p(1-p) q(1-q))) / n)

where r is the correlation of the two models' answers, 0 if they were unpaired (source: Miller, arXiv:2411.00640, on
paired differences). A table does not say r, so it is said from which one on, of those that are likely, a delta would be
beyond chance: two-sided 5 % after Holm, over a dataset's math benchmarks and over all of its benchmarks. Training seeds
would widen every one of these errors, and a table of single runs says nothing about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tasks.audit.config import CORRELATIONS, Chance, Known
from tasks.audit.printed import Printed, Row
from tasks.core.multiplicity import holm

_ALPHA = 0.05

Floats = NDArray[np.float64]


def chances(rows: Sequence[Row], known: Mapping[str, Known], printed: Printed) -> list[Chance]:
    """Return what the deltas of one dataset could be; benchmarks that are not known are left out."""
    rows = [row for row in rows if row.benchmark in known]
    if not rows:
        return []
    items = np.asarray([known[row.benchmark].items for row in rows])
    score = np.asarray([row.score for row in rows]) / (100 * printed.units)
    delta = np.asarray([row.delta for row in rows]) / (100 * printed.units)
    z = np.asarray([z_scores(score, delta, items, r) for r in CORRELATIONS])
    math = np.asarray([known[row.benchmark].math for row in rows])
    over_all = np.asarray([beyond_chance(at) for at in z])
    over_math = np.zeros_like(over_all)
    over_math[:, math] = [beyond_chance(at[math]) for at in z]
    return [
        Chance(
            dataset=row.dataset,
            benchmark=row.benchmark,
            score=printed.points(row.score),
            delta=printed.points(row.delta),
            places=printed.places(row.step),
            items=int(items[k]),
            math=bool(math[k]),
            z={f"{r:g}": _finite(z[i, k]) for i, r in enumerate(CORRELATIONS)},
            math_from=_first(over_math[:, k]),
            all_from=_first(over_all[:, k]),
        )
        for k, row in enumerate(rows)
    ]


def z_scores(score: Floats, delta: Floats, items: NDArray[np.int64], correlation: float) -> Floats:
    """Return deltas over their standard errors; all are shares of 1. Infinite where nothing varies."""
    now, before = (np.clip(share, 0, 1) * (1 - np.clip(share, 0, 1)) for share in (score, score - delta))
    variance = now + before - 2 * correlation * np.sqrt(now * before)
    error = np.sqrt(np.maximum(variance, 0) / items)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(delta == 0, 0.0, delta / error))


def beyond_chance(z: Floats) -> NDArray[np.bool_]:
    """Return which of a family of z-scores are beyond chance, two-sided 5 % by Holm."""
    return holm(2 * special.ndtr(-np.abs(z)), _ALPHA)


def _first(found: NDArray[np.bool_]) -> float | None:
    return CORRELATIONS[int(np.argmax(found))] if found.any() else None


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None

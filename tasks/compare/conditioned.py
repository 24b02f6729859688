"""Differences on the benchmark items that a candidate's rows do not match, and which gains sit on the others.

Each item has an overlap with the candidate's rows: the highest share of its n-grams that any one row holds. From a
threshold on it is matched, below it is clean; an item too short to be looked for counts as clean, since nothing says
otherwise. At every threshold the whole study is compared again on the clean items alone, by the same estimator and the
same Holm family, so with no overlap nothing changes.

A gain can be lost on clean items for two reasons: it sat on the matched ones, or too few clean ones are left. So it is
called contaminated only where matched items also gained more than clean ones beyond chance,

::

    t = (c_m - c_c) / sqrt(se_m^2 + se_c^2),   df = (se_m^2 + se_c^2)^2 / (se_m^4/df_m + se_c^4/df_c)

with the intervals' centres, standard errors and degrees of freedom on the two sets of items, one-sided at the study's
alpha (Welch, 1947; Satterthwaite, 1946). Both standard errors hold the training variance, though the two sets
share their seeds, so the test errs to the side of not accusing. Each gain is judged by itself, by Holm over the
candidate's gains: an honest candidate is accused of any leak at most at that level. The idea of comparing clean with
contaminated items is that of GPT-3 (Brown et al. 2020, appendix C) and of Llama 3 (Dubey et al. 2024, section 5.1.4),
who print the difference without a test.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.findings import find
from tasks.compare.pairing import Floats, Paired
from tasks.core.errors import IntegrityError
from tasks.core.multiplicity import holm
from tasks.core.results import ConditionedDelta, Delta

#: By (benchmark, item): the highest share of the item's n-grams that one row of a candidate holds, 0 to 1; NaN where
#: the item could not be looked for.
Overlaps = Mapping[tuple[str, str], float]
Sits = Literal["clean", "matched", "unclear"]

_FEWEST = 2  # items of which an estimate can be made


def condition(
    pairs: Sequence[Paired],
    k: int,
    overlaps: Overlaps,
    deltas: Sequence[Delta],
    benchmarks: Sequence[BenchmarkFacts],
    config: CompareConfig,
) -> tuple[ConditionedDelta, ...]:
    """Return every delta of candidate `k` on clean and on matched items, by threshold and benchmark.

    Args:
        overlaps: of every scored item with the candidate's rows.
        deltas: the candidate's, on all items.

    Raises:
        IntegrityError: naming an item that was scored and not looked for.
    """
    ratios = [_ratios(pair, overlaps) for pair in pairs]
    found = list[ConditionedDelta]()
    before, clean, more = [np.zeros(len(ratio), dtype=np.bool_) for ratio in ratios], deltas, deltas
    for threshold in reversed(config.overlap_ratios):  # from none matched to most; the same ones need no second look
        matched = [ratio >= threshold for ratio in ratios]  # NaN is no match
        if any((one != other).any() for one, other in zip(matched, before, strict=True)):
            clean = _on([~one for one in matched], pairs, k, benchmarks, config)
            more = _on(matched, pairs, k, benchmarks, config)
        before = matched
        unchecked = [int(np.isnan(ratio).sum()) for ratio in ratios]
        found = [*map(_conditioned, itertools.repeat(threshold), clean, more, matched, unchecked), *found]
    return tuple(found)


def where_gains_sit(
    gains: Sequence[Delta], conditioned: Sequence[ConditionedDelta], threshold: float, alpha: float
) -> dict[str, Sits]:
    """Return on which items each of a candidate's gains sits, by benchmark, at one threshold.

    ``clean``: it is still shown up on clean items. ``matched``: it is not, and it is larger on matched items beyond
    chance (Holm over the gains, one-sided at `alpha`). ``unclear``: neither; too few items are left on either side.

    Args:
        gains: the primaries that are shown up on all items.
    """
    names = {gain.benchmark for gain in gains}
    here = [one for one in conditioned if one.threshold == threshold and one.benchmark in names]
    larger = holm([1.0 if one.p_matched is None else one.p_matched for one in here], alpha)
    return {
        one.benchmark: "clean" if one.shown_up else "matched" if more else "unclear"
        for one, more in zip(here, larger, strict=True)
    }


def unchecked_warnings(conditioned: Sequence[ConditionedDelta]) -> Iterator[str]:
    """Yield a warning for each benchmark of which more than a tenth could not be looked for."""
    for name, one in {one.benchmark: one for one in conditioned}.items():
        items = one.n_items + one.n_matched
        if one.n_unchecked > items / 10:
            yield (
                f"{name}: {one.n_unchecked:,} of {items:,} items are too short, or too much alike, to be looked for in "
                "the training rows, and count as clean"
            )


def _ratios(pair: Paired, overlaps: Overlaps) -> Floats:
    """Return each item's overlap, shape (items,)."""
    try:
        return np.array([overlaps[pair.benchmark, str(item)] for item in pair.items])
    except KeyError as error:
        raise IntegrityError(
            f"{error.args[0][1]} of {pair.benchmark} was scored, and never looked for in the training rows",
            remedy="report it with the versions of Assay and OpenCompass: the items' names must agree",
        ) from error


def _on(
    chosen: Sequence[NDArray[np.bool_]],
    pairs: Sequence[Paired],
    k: int,
    benchmarks: Sequence[BenchmarkFacts],
    config: CompareConfig,
) -> Sequence[Delta]:
    """Return candidate `k`'s deltas on some items alone; on all of a benchmark's where those are too few."""
    kept = [pair.only(one) if one.sum() >= _FEWEST else pair for pair, one in zip(pairs, chosen, strict=True)]
    return find(kept, benchmarks, config)[k].deltas


def _conditioned(
    threshold: float, clean: Delta, more: Delta, matched: NDArray[np.bool_], unchecked: int
) -> ConditionedDelta:
    n_matched = int(matched.sum())
    n_clean = len(matched) - n_matched
    known = n_clean >= _FEWEST
    return ConditionedDelta(
        benchmark=clean.benchmark,
        threshold=threshold,
        delta=clean.delta if known else None,
        low=clean.low if known else None,
        high=clean.high if known else None,
        n_items=n_clean,
        n_matched=n_matched,
        n_unchecked=unchecked,
        matched_delta=more.delta if n_matched >= _FEWEST else None,
        p_matched=_p_more(more, clean) if known and n_matched >= _FEWEST else None,
        shown_up=known and clean.finding == "up",
    )


def _p_more(more: Delta, clean: Delta) -> float:
    """Return the one-sided p-value against "matched items gained no more than clean ones"."""
    centres = [delta.n_items * delta.delta / (delta.n_items + 2) for delta in (more, clean)]
    variances = [delta.standard_error**2 for delta in (more, clean)]
    spent = sum(v**2 / delta.degrees_of_freedom for v, delta in zip(variances, (more, clean), strict=True))
    t = (centres[0] - centres[1]) / math.sqrt(sum(variances))
    return round(float(special.stdtr(sum(variances) ** 2 / spent, -t)), 8)

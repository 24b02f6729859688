"""The chance that the last look of a study gives a candidate its verdict, from what was found so far.

It is predictive, with no prior (Spiegelhalter, Freedman and Blackburn, 1986). Seeds average out training noise and
answers that flip; what the items add stays. With i and m these two parts of the variance now,

::

    D_last given D_now ~ N(D_now, m (1 - f)),   se_last^2 = i + m f,   f = S_now / S_last
    i = (item_sd^2 - flip_sd^2 / S_now) / n

So nothing is waited for that only other items could show. Where answers were graded again both graders must find the
same: they share nearly all answers, so the smaller of their two chances counts. A gain must also have a place: be shown
up on clean items, or be larger on matched ones (`conditioned`); one gain that has is enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from scipy import special

from tasks.compare.config import CompareConfig
from tasks.compare.findings import BAND_ALPHA
from tasks.compare.sequential import levels
from tasks.core.results import CandidateResult, ConditionedDelta, Delta, DomainDelta

#: A study is hopeless below this chance that a further look makes it clear.
FUTILE = 0.1
Held = Literal["nothing", "agreement", "clean items"]
_LEAST_VARIANCE = 1e-12  # what cannot move any more is still divided by it


class Prospect(NamedTuple):
    """What a candidate may expect.

    Attributes:
        chance: that the last look gives it a verdict.
        held: what keeps a chance below FUTILE that would else be higher, and that more seeds do not bring.
    """

    chance: float
    held: Held


class _Standing(NamedTuple):
    """A difference as it stands, in points; `items` and `seeds` are the parts of its variance."""

    delta: float
    items: float
    seeds: float


class _Outcomes(NamedTuple):
    """The chances that the last look finds each."""

    up: float
    down: float
    band: float


class _Last(NamedTuple):
    """The last look: `share` of its seeds are there, and its tests take so many standard errors.

    Holm's first step is over candidates x primaries for `primary`, and over candidates x domains for `domain`.
    """

    share: float
    primary: float
    domain: float
    guard: float
    band: float
    config: CompareConfig

    def above(self, one: _Standing, bound: float, deviates: float) -> float:
        """Return the chance that a difference then lies so many of its standard errors above `bound`."""
        error = math.sqrt(one.items + one.seeds * self.share)
        moves = math.sqrt(max(one.seeds * (1 - self.share), _LEAST_VARIANCE))
        return float(special.ndtr((one.delta - bound - deviates * error) / moves))


def prospect(
    result: CandidateResult, seeds: int, tests: int, looks: tuple[int, ...], config: CompareConfig
) -> Prospect:
    """Return the chance, 0 to 1, that the last look gives a candidate a verdict, and what keeps it low.

    Args:
        seeds: how many there are now.
        tests: how many candidates the study has.
    """
    primaries = sum(delta.role == "primary" for delta in result.deltas)
    domains = max(1, len(result.domains))  # without guards there is none, and nothing takes its level

    def deviates(alpha: float) -> float:
        return _quantile(levels(alpha, looks)[-1])

    last = _Last(
        share=seeds / looks[-1],
        primary=deviates(config.alpha / (primaries * tests)),
        domain=deviates(config.alpha / (domains * tests)),
        guard=deviates(config.alarm_alpha),
        band=deviates(BAND_ALPHA),
        config=config,
    )
    own = _outcomes(result.deltas, result.domains, last)
    other = _outcomes(_regraded(result), result.domains, last)
    both, placed = _Outcomes(*map(min, own, other)), _placed(result, last)
    if any(_is_gain(delta) for delta in result.deltas):  # a loss beside a gain without a place is no verdict either
        chance = min(placed, sum(both))
    else:
        chance = min(1.0, min(both.up, placed) + both.down + both.band)
    held: Held = "nothing"
    if chance < FUTILE <= sum(own):
        held = "agreement" if sum(both) < FUTILE else "clean items"
    return Prospect(chance, held)


def _outcomes(deltas: Sequence[Delta], domains: Sequence[DomainDelta], last: _Last) -> _Outcomes:
    still_up, still_down, band, passes = 1.0, 1.0, 1.0, 1.0
    for delta in deltas:
        now, width = _standing(delta), last.config.band
        mirrored = now._replace(delta=-now.delta)
        if delta.role == "primary":
            still_up *= 1 - last.above(now, 0, last.primary)
            still_down *= 1 - last.above(mirrored, 0, last.primary)
            band *= max(0.0, last.above(now, -width, last.band) + last.above(mirrored, -width, last.band) - 1)
        elif delta.margin is None:
            passes *= last.above(now, 0, -_quantile(last.config.alarm_alpha))
        else:
            passes *= last.above(now, -delta.margin, last.guard)
    for domain in domains:
        now = _pooled(domain, deltas, last.config)
        still_down *= 1 - last.above(now._replace(delta=-now.delta), 0, last.domain)
        passes *= last.above(now, -domain.margin, last.guard)
    return _Outcomes(up=(1 - still_up) * passes, down=1 - still_down, band=band * passes)


def _placed(result: CandidateResult, last: _Last) -> float:
    """Return the chance that the last look can tell on which items the gains sit; 1 where overlap was not measured."""
    config, primaries = last.config, {one.benchmark: one for one in result.deltas if one.role == "primary"}
    here = [c for c in result.conditioned if c.threshold == config.overlap_ratio and c.benchmark in primaries]
    if not here:
        return 1.0
    clean = 1 - math.prod(1 - _shown_clean(one, primaries[one.benchmark], last) for one in here)
    gains = [one for one in here if _is_gain(primaries[one.benchmark])]
    level = last.config.alpha / max(1, len(gains))  # Holm's first step
    matched = max((_larger_on_matched(one, primaries[one.benchmark], level, last) for one in gains), default=0.0)
    return min(1.0, clean + matched)


def _shown_clean(one: ConditionedDelta, whole: Delta, last: _Last) -> float:
    if one.delta is None or one.low is None or one.high is None:
        return 0.0
    error = whole.standard_error * (one.high - one.low) / (whole.high - whole.low)
    return last.above(_split(one.delta, error, _item_variance(whole) * whole.n_items / one.n_items), 0, last.primary)


def _larger_on_matched(one: ConditionedDelta, whole: Delta, level: float, last: _Last) -> float:
    """Return the chance that matched items are shown to gain more than clean ones; its p-value says the error now."""
    if one.p_matched is None or one.matched_delta is None or one.delta is None:
        return 0.0
    gap, deviates = one.matched_delta - one.delta, _quantile(one.p_matched)
    if gap <= 0 or deviates <= 0:
        return 0.0
    items = _item_variance(whole) * whole.n_items * (1 / one.n_items + 1 / one.n_matched)
    return last.above(_split(gap, gap / deviates, items), 0, _quantile(level))


def _regraded(result: CandidateResult) -> list[Delta]:
    """Return a candidate's deltas as the other grader has them, where there is one."""
    found = {one.benchmark: one for one in result.regraded}
    deltas = []
    for delta in result.deltas:
        if one := found.get(delta.benchmark):
            error = delta.standard_error * (one.high - one.low) / (delta.high - delta.low)
            deltas.append(
                delta.model_copy(update={"delta": one.delta, "standard_error": error, "finding": one.finding})
            )
        else:
            deltas.append(delta)
    return deltas


def _standing(delta: Delta) -> _Standing:
    return _split(delta.delta, delta.standard_error, _item_variance(delta))


def _pooled(domain: DomainDelta, deltas: Sequence[Delta], config: CompareConfig) -> _Standing:
    # A domain says its interval only; as if it were normal, its standard error comes out too large, not too small.
    error = (domain.high - domain.low) / 2 / _quantile((1 - config.confidence) / 2)
    members = [one for one in deltas if one.benchmark in domain.benchmarks]
    total = sum(one.n_items for one in members)
    items = sum(_item_variance(one) * (one.n_items / total) ** 2 for one in members)
    return _split(domain.delta, error, items)


def _split(delta: float, error: float, items: float) -> _Standing:
    return _Standing(delta, items=min(items, error**2), seeds=max(0.0, error**2 - items))


def _item_variance(delta: Delta) -> float:
    """Return what items add to a difference's variance, whatever the number of seeds."""
    return max(0.0, delta.item_sd**2 - delta.flip_sd**2 / delta.n_seeds) / delta.n_items


def _is_gain(delta: Delta) -> bool:
    return delta.role == "primary" and delta.finding == "up"


def _quantile(one_sided: float) -> float:
    return float(-special.ndtri(one_sided))

"""Deltas with their roles, margins and findings: everything of a verdict but the verdict.

Primaries are tested together: Holm over candidates x primaries, one-sided, once for up and once for down. Every other
benchmark is a guard. What it could show was known before the run: its planned standard error

    se = sqrt(item_sd^2 / n + training_noise^2 / S)

times 2.6 (1.645 for a one-sided test at 5 %, 0.84 for 80 % power, a little for few degrees of freedom) is the smallest
margin that it would keep in 4 of 5 studies where nothing changed. Up to 2 points that is its margin, rounded up to half
a point and at least 1; above, it has none and only raises an alarm when it is seen to drop. All guards also count, item
by item, in their domain, which is tested against a declared margin; so do benchmarks of mathematics that do not decide.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from scipy import special

from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.deltas import Estimate, Squares, estimate, mean_squares
from tasks.compare.pairing import Paired
from tasks.compare.sequential import level
from tasks.core.errors import StudyError
from tasks.core.multiplicity import holm
from tasks.core.results import Delta, Domain, DomainDelta, Finding, Role

#: Standard errors to a margin that a study where nothing changed keeps 80 % of the time.
_TO_MARGIN = 2.6
_LARGEST_OWN_MARGIN = 2.0
#: The chance with which the smallest effect that could have been seen is seen.
_CHANCE = 0.8
#: One-sided level of each side of the band of no effect: its interval has 90 %.
BAND_ALPHA = 0.05


@dataclass(frozen=True)
class Evidence:
    """What was found on one candidate.

    Attributes:
        within_band: whether every primary's 90 % interval lies inside the band of no effect.
        noisy: benchmarks on which one arm varies over seeds much more than the arms do together.
    """

    name: str
    deltas: tuple[Delta, ...]
    domains: tuple[DomainDelta, ...]
    within_band: bool
    noisy: tuple[str, ...]


def find(pairs: Sequence[Paired], benchmarks: Sequence[BenchmarkFacts], config: CompareConfig) -> list[Evidence]:
    """Return the evidence on each candidate, in the order of the arms.

    Raises:
        StudyError: if a benchmark has no facts, or none of those scored is primary.
    """
    facts = {fact.name: fact for fact in benchmarks}
    primaries = _primaries(pairs, facts, config)
    at_look = functools.partial(level, seeds=len(pairs[0].seeds), looks=config.looks)
    squares = {pair.benchmark: mean_squares(pair.correct, pair.cluster) for pair in pairs}
    estimates = {name: estimate(one) for name, one in squares.items()}
    domains = _domains(pairs, facts, primaries, config, at_look)
    up = holm([estimates[name].p_up for name in primaries], config.alpha, at_look)
    down = holm([estimates[name].p_down for name in primaries], config.alpha, at_look)
    shown: dict[tuple[str, int], Finding] = {}
    if len(pairs[0].seeds) > 1:  # items of a single seed say nothing about the data
        shown |= {(primaries[b], k): "up" for b, k in np.argwhere(up)}
        shown |= {(primaries[b], k): "down" for b, k in np.argwhere(down)}
        shown |= _guard_findings(squares, estimates, primaries, config, at_look(config.alarm_alpha))
    return [
        Evidence(
            name=candidate,
            deltas=tuple(
                _delta(pair, squares[pair.benchmark], estimates[pair.benchmark], k, facts, primaries, shown, config)
                for pair in pairs
            ),
            domains=domains[k],
            within_band=all(_within(estimates[name], k, config.band, at_look(BAND_ALPHA)) for name in primaries),
            noisy=tuple(pair.benchmark for pair in pairs if estimates[pair.benchmark].noisy[k]),
        )
        for k, candidate in enumerate(pairs[0].arms[1:])
    ]


def guard_margin(n_items: int, n_seeds: int, config: CompareConfig) -> float | None:
    """Return a guard's own margin in points, fixed by the plan; None where it is too small a benchmark to have one."""
    seeds = config.planned_seeds(n_seeds)
    planned = math.sqrt(config.planned_item_sd**2 / n_items + config.planned_training_noise**2 / seeds)
    reach = _TO_MARGIN * planned
    return max(1.0, math.ceil(2 * reach) / 2) if reach <= _LARGEST_OWN_MARGIN else None


def _primaries(pairs: Sequence[Paired], facts: Mapping[str, BenchmarkFacts], config: CompareConfig) -> list[str]:
    names = [pair.benchmark for pair in pairs]
    if unknown := [name for name in names if name not in facts]:
        raise StudyError(f"benchmarks: no domain and metric for {', '.join(unknown)}", remedy="name them in the study")
    wanted = config.primary
    primaries = [n for n in names if (n in wanted if wanted is not None else facts[n].domain == "math")]
    if missing := set(wanted or ()) - set(primaries):
        raise StudyError(
            f"compare.primary: {', '.join(sorted(missing))} was not scored; there is {', '.join(names)}",
            remedy="add it to the study's benchmarks, or take it out of compare.primary",
        )
    if not primaries:
        raise StudyError(
            f"compare.primary: none of {', '.join(names)} is of domain math, so nothing decides",
            remedy="name the benchmarks that decide in compare.primary",
        )
    return primaries


def _delta(
    pair: Paired,
    squares: Squares,
    estimated: Estimate,
    k: int,
    facts: Mapping[str, BenchmarkFacts],
    primaries: Sequence[str],
    shown: Mapping[tuple[str, int], Finding],
    config: CompareConfig,
) -> Delta:
    margin = None if pair.benchmark in primaries else guard_margin(squares.n_items, squares.n_seeds, config)
    role: Role = "primary" if pair.benchmark in primaries else "guard" if margin is not None else "alarm"
    low, high = estimated.interval(config.confidence)
    score = 100 * pair.correct.mean(axis=(1, 2))
    return Delta(
        benchmark=pair.benchmark,
        domain=facts[pair.benchmark].domain,
        metric=facts[pair.benchmark].metric,
        role=role,
        delta=_points(estimated.mean[k]),
        low=_points(low[k]),
        high=_points(high[k]),
        standard_error=_points(estimated.standard_error[k]),
        degrees_of_freedom=round(float(estimated.degrees_of_freedom[k]), 4),
        p_up=round(float(estimated.p_up[k]), 8),
        p_down=round(float(estimated.p_down[k]), 8),
        n_items=squares.n_items,
        n_seeds=squares.n_seeds,
        n_clusters=squares.n_clusters,
        control=round(float(score[0]), 6),
        candidate=round(float(score[k + 1]), 6),
        margin=margin,
        smallest_effect=_points(_smallest_effect(estimated, k, squares.n_seeds, len(primaries), role, config)),
        truncated_control=_points(pair.truncated[0]),
        truncated_candidate=_points(pair.truncated[k + 1]),
        bits_per_byte_control=_known(pair.bits_per_byte[0]),
        bits_per_byte_candidate=_known(pair.bits_per_byte[k + 1]),
        finding=shown.get((pair.benchmark, k)),
        item_sd=_points(math.sqrt(squares.items[k] / squares.n_seeds)),
        flip_sd=_points(math.sqrt(squares.errors[k])),
        training_noise=_points(math.sqrt(max(0.0, (squares.pool[0] - squares.errors[k]) / squares.n_items))),
    )


def _smallest_effect(
    estimated: Estimate, k: int, n_seeds: int, primaries: int, role: Role, config: CompareConfig
) -> float:
    """Return what would have been found with a chance of 80 %: a primary at Holm's first step, others as an alarm."""
    tests = primaries * len(estimated.mean)
    alpha = level(config.alpha / tests, n_seeds, config.looks) if role == "primary" else config.alarm_alpha
    reach = estimated.half_width(alpha)[k] + special.ndtri(_CHANCE) * estimated.standard_error[k]
    return min(1.0, float(reach))


def _guard_findings(
    squares: Mapping[str, Squares],
    estimates: Mapping[str, Estimate],
    primaries: Sequence[str],
    config: CompareConfig,
    margin_alpha: float,
) -> dict[tuple[str, int], Finding]:
    found: dict[tuple[str, int], Finding] = {}
    for name in squares.keys() - set(primaries):
        margin = guard_margin(squares[name].n_items, squares[name].n_seeds, config)
        for k in range(len(squares[name].mean)):
            if margin is None and estimates[name].p_down[k] < config.alarm_alpha:
                found[name, k] = "alarm"
            elif margin is not None and not _above(estimates[name], k, -margin, margin_alpha):
                found[name, k] = "not within margin"
    return found


def _domains(
    pairs: Sequence[Paired],
    facts: Mapping[str, BenchmarkFacts],
    primaries: Sequence[str],
    config: CompareConfig,
    at_look: Callable[[float], float],
) -> list[tuple[DomainDelta, ...]]:
    """Return, for each candidate, its pooled domains: all guards of a domain as one set of items."""
    pooled: list[tuple[Domain, list[Paired], Estimate]] = []
    for domain in get_args(Domain):
        guards = [p for p in pairs if facts[p.benchmark].domain == domain and p.benchmark not in primaries]
        if guards:
            pooled.append((domain, guards, estimate(_together(guards))))
    down = holm([one.p_down for _, _, one in pooled], config.alpha, at_look)
    margin_alpha = at_look(config.alarm_alpha)
    return [
        tuple(
            _domain_delta(domain, guards, estimated, k, bool(down[d, k]), config, margin_alpha)
            for d, (domain, guards, estimated) in enumerate(pooled)
        )
        for k in range(len(pairs[0].arms) - 1)
    ]


def _together(guards: Sequence[Paired]) -> Squares:
    offsets = np.cumsum([0, *(int(one.cluster.max()) + 1 for one in guards[:-1])])
    cluster = np.concatenate([one.cluster + offset for one, offset in zip(guards, offsets, strict=True)])
    return mean_squares(np.concatenate([one.correct for one in guards], axis=2), cluster)


def _domain_delta(
    domain: Domain,
    guards: Sequence[Paired],
    estimated: Estimate,
    k: int,
    down: bool,
    config: CompareConfig,
    margin_alpha: float,
) -> DomainDelta:
    n_seeds = len(guards[0].seeds)
    margin = config.domain_margin(domain, config.planned_seeds(n_seeds))
    low, high = estimated.interval(config.confidence)
    return DomainDelta(
        domain=domain,
        delta=_points(estimated.mean[k]),
        low=_points(low[k]),
        high=_points(high[k]),
        margin=margin,
        within_margin=n_seeds > 1 and _above(estimated, k, -margin, margin_alpha),
        shown_down=n_seeds > 1 and down,
        n_items=sum(one.correct.shape[2] for one in guards),
        benchmarks=tuple(one.benchmark for one in guards),
    )


def _above(estimated: Estimate, k: int, bound: float, alpha: float) -> bool:
    """Whether a difference is shown, one-sided at level `alpha`, to lie above `bound` points."""
    return bool(100 * estimated.interval(1 - 2 * alpha)[0][k] > bound)


def _within(estimated: Estimate, k: int, band: float, alpha: float) -> bool:
    low, high = estimated.interval(1 - 2 * alpha)
    return bool(-band < 100 * low[k] and 100 * high[k] < band)


def _points(share: float) -> float:
    return round(100 * float(share), 6)


def _known(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None

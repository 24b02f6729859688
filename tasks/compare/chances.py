"""The chances that a planned study has, benchmark by benchmark and all together; `power` says what they are for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from scipy import optimize

from tasks.compare.config import CompareConfig, PooledDomain
from tasks.compare.draws import DRAWS, Drawn, design_effect, draw
from tasks.compare.findings import guard_margin
from tasks.compare.pairing import Floats
from tasks.compare.sequential import levels
from tasks.core.results import BenchmarkPower, EffectChance, PlannedBenchmark

#: The chance with which an effect is to be seen, by convention.
CHANCE = 0.8


@dataclass(frozen=True)
class Rule:
    """How findings are reached: Holm's steps over candidates x primaries, at the last look."""

    candidates: int
    primaries: int
    config: CompareConfig

    def step(self, rejected: int) -> float:
        """Return the level of Holm's step after so many rejections."""
        return self.last(self.config.alpha / (self.candidates * self.primaries - rejected))

    @property
    def guard_level(self) -> float:
        return self.last(self.config.alarm_alpha)

    def last(self, alpha: float) -> float:
        looks = self.config.looks
        return levels(alpha, looks)[-1] if looks else alpha


def benchmark_power(one: PlannedBenchmark, seeds: int, noise: float, rule: Rule) -> BenchmarkPower:
    """Return what one benchmark can show; with one seed that is nothing."""
    margin = guard_margin(one.n_items, seeds, rule.config) if one.role == "guard" else None
    planned_se = math.hypot(one.item_sd * math.sqrt(design_effect(one) / one.n_items), noise / math.sqrt(seeds))
    smallest, passes = None, 0.0
    if seeds > 1:
        drawn = draw(one, seeds, rule.candidates, noise)
        alpha = rule.step(0) if one.role == "primary" else rule.config.alarm_alpha
        smallest = _smallest(drawn, alpha)
        passes = 1 - drawn.above(0, 0, alpha) if margin is None else drawn.above(-margin, 0, rule.guard_level)
    return BenchmarkPower(
        benchmark=one.benchmark,
        role=one.role,
        n_items=one.n_items,
        standard_error=round(planned_se, 4),
        smallest_effect=smallest,
        margin=margin,
        passes=round(passes, 4),
    )


def _smallest(drawn: Drawn, alpha: float) -> float | None:
    """Return the true difference, in points, that is found in 4 of 5 studies; None if nothing up to 100 points is."""

    def short(effect: float) -> float:
        return drawn.above(0, effect, alpha) - CHANCE

    return None if short(100.0) < 0 else round(float(optimize.brentq(short, 0.0, 100.0, xtol=1e-4)), 2)


def effect_chance(
    benchmarks: Sequence[PlannedBenchmark],
    seeds: int,
    noise: float,
    times: float,
    effect: Mapping[str, float],
    rule: Rule,
) -> EffectChance:
    """Return the chance to see an effect at `times` the `noise`, both in points, as is the effect by primary."""
    seen = first_up(benchmarks, seeds, times * noise, effect, rule)
    later = later_up(benchmarks, seeds, times * noise, effect, rule)
    return EffectChance(
        times=times,
        noise=round(times * noise, 4),
        by_benchmark={name: round(chance + later[name], 4) for name, chance in seen.items()},
        any_primary=round(any_of(seen), 4),
        unharmed=round(unharmed(benchmarks, seeds, times * noise, rule), 4),
    )


def first_up(
    benchmarks: Sequence[PlannedBenchmark], seeds: int, noise: float, effect: Mapping[str, float], rule: Rule
) -> dict[str, float]:
    """Return the chance that each primary passes Holm's first step upwards; one seed shows nothing."""
    return {
        one.benchmark: draw(one, seeds, rule.candidates, noise).above(0, effect[one.benchmark], rule.step(0))
        if seeds > 1
        else 0.0
        for one in benchmarks
        if one.role == "primary"
    }


def later_up(
    benchmarks: Sequence[PlannedBenchmark], seeds: int, noise: float, effect: Mapping[str, float], rule: Rule
) -> dict[str, float]:
    """Return the chance that each primary passes a later step of Holm's, and not the first; other candidates never do.

    Holm stops at the first step j at which fewer than j + 1 differences pass; all that pass the step before are shown.
    """
    primaries = [one for one in benchmarks if one.role == "primary"]
    if seeds == 1 or len(primaries) == 1:
        return dict.fromkeys((one.benchmark for one in primaries), 0.0)
    passes = np.empty((len(primaries), len(primaries), DRAWS), dtype=np.bool_)  # step, primary, draw
    for place, one in enumerate(primaries):
        drawn = draw(one, seeds, rule.candidates, noise, place)
        centre = drawn.centres(place) + drawn.pull * effect[one.benchmark] / 100
        for step in range(len(primaries)):
            passes[step, place] = centre > drawn.reach(rule.step(step))
    enough = passes.sum(axis=1) > np.arange(len(primaries))[:, None]
    rejected = np.logical_and.accumulate(enough, axis=0).sum(axis=0)
    last = np.maximum(rejected - 1, 0)
    shown = np.take_along_axis(passes, last[None, None, :], axis=0)[0] & (rejected > 0)
    later = (shown & ~passes[0]).mean(axis=1)
    return {one.benchmark: float(chance) for one, chance in zip(primaries, later, strict=True)}


def any_of(seen: Mapping[str, float]) -> float:
    """Return the chance of at least one of independent chances."""
    return 1 - math.prod(1 - chance for chance in seen.values())


def unharmed(benchmarks: Sequence[PlannedBenchmark], seeds: int, noise: float, rule: Rule) -> float:
    """Return the chance that neither a guard nor a domain stands in the way where nothing changed.

    A domain is mostly the largest of its guards, so they are drawn together: the domain's difference is the mean of its
    guards' by their items.
    """
    guards = [one for one in benchmarks if one.role != "primary"]
    if seeds == 1:
        return 0.0
    free, centres = np.ones(DRAWS, dtype=np.bool_), dict[str, Floats]()
    for stream, guard in enumerate(guards, 1):
        drawn = draw(guard, seeds, rule.candidates, noise, stream)
        centres[guard.benchmark] = drawn.centres(stream)
        margin = guard_margin(guard.n_items, seeds, rule.config)
        if margin is None:
            free &= centres[guard.benchmark] > -drawn.reach(rule.config.alarm_alpha)
        else:
            free &= centres[guard.benchmark] - drawn.reach(rule.guard_level) > -margin / 100
    for domain in get_args(PooledDomain):
        members = {stream: one for stream, one in enumerate(guards, 1) if one.domain == domain}
        if members:
            share = np.array([one.n_items for one in members.values()])
            share = share / share.sum()
            luck = [math.hypot(one.flip_sd / math.sqrt(one.n_items), noise) for one in members.values()]
            luck_of = tuple(zip(members, (share * luck).tolist(), strict=True))
            whole = _pooled(list(members.values()), share)
            pooled = draw(whole, seeds, rule.candidates, noise * math.hypot(*share), min(members), luck_of)
            centre = share @ np.stack([centres[one.benchmark] for one in members.values()])
            free &= centre - pooled.reach(rule.guard_level) > -rule.config.domain_margin(domain, seeds) / 100
    return float(free.mean())


def _pooled(members: Sequence[PlannedBenchmark], share: Floats) -> PlannedBenchmark:
    """Return the items of several benchmarks as those of one."""
    squares = [one.item_sd**2 * design_effect(one) for one in members]
    flips = [one.flip_sd**2 for one in members]
    return PlannedBenchmark(
        benchmark=members[0].domain,
        domain=members[0].domain,
        role="guard",
        n_items=sum(one.n_items for one in members),
        item_sd=min(100.0, math.sqrt(float(share @ squares))),
        flip_sd=math.sqrt(float(share @ flips)),
    )

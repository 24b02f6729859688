"""The chances that a planned study has, benchmark by benchmark and all together; `power` says what they are for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import optimize

from tasks.compare.draws import DRAWS, Drawn, design_effect, draw
from tasks.compare.findings import guard_margin
from tasks.compare.guards import unharmed
from tasks.compare.sequential import Rule
from tasks.core.results import BenchmarkPower, EffectChance, PlannedBenchmark

#: The chance with which an effect is to be seen, by convention.
CHANCE = 0.8


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

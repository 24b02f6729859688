"""The chance that a planned study says "helps", its guards counted, and what would make that likelier."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tasks.compare.chances import CHANCE, any_of, first_up
from tasks.compare.config import CompareConfig
from tasks.compare.guards import declared_margins, draw_guards, unharmed
from tasks.compare.pairing import Floats
from tasks.compare.sentences import whole
from tasks.compare.sequential import Rule
from tasks.core.results import Domain, HelpsPlan, PlannedBenchmark, PowerPlan

#: How often a suggested margin lets its domain pass.
_KEPT = 0.95
#: Numbers of seeds that are looked at grow by this: margins change with seeds, so more are not always better.
_STEP, _MOST_SEEDS = 1.25, 50


def helps_plan(benchmarks: Sequence[PlannedBenchmark], power: PowerPlan, config: CompareConfig) -> HelpsPlan | None:
    """Return how likely "helps" is where the effect is real and nothing else changes; None without guards, or with one
    seed. Seeing the effect and keeping the guards' margins are taken as independent.

    Args:
        power: what `power.plan` says of these benchmarks, guards left aside.
    """
    primaries = sum(one.role == "primary" for one in benchmarks)
    if power.seeds == 1 or primaries == len(benchmarks):
        return None
    seeds, noise, effect, needed = power.seeds, power.noise.points, power.effect, power.needed
    rule = Rule(power.candidates, primaries, config)
    guards, declared = draw_guards(benchmarks, seeds, noise, rule), declared_margins(rule.config, seeds)
    wide, left = _margins(guards.lows, declared), guards.unharmed(declared)
    seen = any_of(first_up(benchmarks, seeds, noise, effect, rule))

    def helps(count: int) -> float:
        longer = rule.until(count)
        return any_of(first_up(benchmarks, count, noise, effect, longer)) * unharmed(benchmarks, count, noise, longer)

    alone = {name: 1 - float(passed.mean()) for name, passed in guards.passes.items()}
    alone |= {whole(name): float((low <= -declared[name]).mean()) for name, low in guards.lows.items()}
    return HelpsPlan(
        chance=round(seen * left, 4),
        unharmed=round(left, 4),
        in_the_way={name: round(alone[name], 4) for name in sorted(alone, key=lambda name: -alone[name])},
        margins=wide,
        with_margins=round(seen * guards.unharmed(declared | wide), 4),
        with_seeds=None if needed.seeds is None else round(helps(needed.seeds), 4),
        with_items=None if needed.items_times is None else round(max(seen, needed.chance) * left, 4),
        seeds=next((count for count in _ladder(needed.seeds) if helps(count) >= CHANCE), None),
    )


def _margins(lows: Mapping[Domain, Floats], declared: Mapping[Domain, float]) -> dict[Domain, float]:
    """Return the margins, in half points, of the domains that would need a wider one to pass often enough."""
    enough = {name: math.ceil(-2 * float(np.quantile(low, 1 - _KEPT))) / 2 for name, low in lows.items()}
    return {name: margin for name, margin in enough.items() if margin > declared[name]}


def _ladder(first: int | None) -> list[int]:
    """Return the numbers of seeds to look at, from the first that shows the effect at all."""
    counts = list[int]()
    while first is not None and first <= _MOST_SEEDS:
        counts.append(first)
        first = math.ceil(first * _STEP)
    return counts

"""What guards would do in planned studies in which nothing changed on them: the draws behind the chance of "helps".

A domain is mostly the largest of its guards, so they are drawn together: the domain's difference is the mean of its
guards' by their items.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from tasks.compare.config import CompareConfig
from tasks.compare.draws import DRAWS, design_effect, draw
from tasks.compare.findings import guard_margin
from tasks.compare.pairing import Floats
from tasks.compare.sequential import Rule
from tasks.core.results import Domain, PlannedBenchmark


@dataclass(frozen=True)
class Guards:
    """Drawn studies of two seeds or more.

    Attributes:
        passes: for each guard, the studies in which it does not stand in the way by itself; shape (draws,).
        lows: for each pooled domain, the bound in points above which a study shows its difference; shape (draws,).
    """

    passes: Mapping[str, NDArray[np.bool_]]
    lows: Mapping[Domain, Floats]

    def unharmed(self, margins: Mapping[Domain, float]) -> float:
        """Return the share of studies in which no guard stands in the way, and no domain at these margins."""
        free = np.ones(DRAWS, dtype=np.bool_)
        for passed in (*self.passes.values(), *(low > -margins[domain] for domain, low in self.lows.items())):
            free &= passed
        return float(free.mean())


def declared_margins(config: CompareConfig, seeds: int) -> dict[Domain, float]:
    """Return how far each domain may fall in a study of so many seeds, in points."""
    return {domain: config.domain_margin(domain, seeds) for domain in get_args(Domain)}


def unharmed(benchmarks: Sequence[PlannedBenchmark], seeds: int, noise: float, rule: Rule) -> float:
    """Return the chance that neither a guard nor a domain stands in the way where nothing changed; one seed shows
    nothing."""
    if seeds == 1:
        return 0.0
    return draw_guards(benchmarks, seeds, noise, rule).unharmed(declared_margins(rule.config, seeds))


def draw_guards(benchmarks: Sequence[PlannedBenchmark], seeds: int, noise: float, rule: Rule) -> Guards:
    """Return what the guards among some benchmarks would show, at a training noise in points."""
    guards = [one for one in benchmarks if one.role != "primary"]
    passes, centres = dict[str, NDArray[np.bool_]](), dict[str, Floats]()
    for stream, guard in enumerate(guards, 1):
        drawn = draw(guard, seeds, rule.candidates, noise, stream)
        centres[guard.benchmark] = drawn.centres(stream)
        margin = guard_margin(guard.n_items, seeds, rule.config)
        if margin is None:
            passes[guard.benchmark] = centres[guard.benchmark] > -drawn.reach(rule.config.alarm_alpha)
        else:
            low = centres[guard.benchmark] - drawn.reach(rule.guard_level)
            passes[guard.benchmark] = low > -margin / 100
    lows = dict[Domain, Floats]()
    for domain in get_args(Domain):
        members = {stream: one for stream, one in enumerate(guards, 1) if one.domain == domain}
        if members:
            share = np.array([one.n_items for one in members.values()])
            share = share / share.sum()
            luck = [math.hypot(one.flip_sd / math.sqrt(one.n_items), noise) for one in members.values()]
            luck_of = tuple(zip(members, (share * luck).tolist(), strict=True))
            whole = _pooled(list(members.values()), share)
            pooled = draw(whole, seeds, rule.candidates, noise * math.hypot(*share), min(members), luck_of)
            centre = share @ np.stack([centres[one.benchmark] for one in members.values()])
            lows[domain] = 100 * (centre - pooled.reach(rule.guard_level))
    return Guards(passes, lows)


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

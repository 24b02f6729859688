"""What a study can show, said before it is run: power by the estimator itself, on mean squares drawn at random.

A plan assumes, for each benchmark, the spread of an item's difference and, for all, the training noise. From these the
mean squares that a study would find are drawn (items as scaled chi-squares; seeds from tables of arms x seeds normal
numbers, so that pooling over arms is what it will be), and `deltas.estimate` turns each draw into a standard error and
degrees of freedom, as it will after the run. Given those, the difference itself is normal and independent of them, so

::

    power(e) = mean over draws of Phi((c e - t_df(level) se) / sd),   sd^2 = c^2 (item_sd^2 deff / n + noise^2 / S)

with c = n/(n+2) the pull of the pseudo-items. One fixed seed makes all of it a function of its arguments. For many
degrees of freedom it is Miller's sample-size formula (arXiv:2411.00640); for few it is what the noncentral t
gives, with the estimator's own small-sample bias. ``tests/benchmarks/power.py`` holds it against simulated studies.

Primaries are tested by Holm's steps over candidates x primaries, the other candidates changing nothing, and taken as
independent of each other. Any is shown exactly where one passes the first step.
Effects and spreads are in points.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from tasks.compare.chances import CHANCE, any_of, benchmark_power, effect_chance, first_up
from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.findings import guard_margin
from tasks.compare.pairing import Floats
from tasks.compare.sequential import Rule
from tasks.core.errors import StudyError
from tasks.core.results import Delta, Needed, PlannedBenchmark, PowerPlan, Role, TrainingNoise

#: The share of a study's cost that grows with the number of items, where nothing better is known: evaluation's.
ITEM_SHARE = 0.2
_MOST_SEEDS, _MOST_ITEMS_TIMES = 50, 100.0
#: The training noises a plan is told for, as multiples of the one assumed.
_TIMES = (0.5, 1.0, 2.0)
#: In points: a benchmark on which no item differed could still have differed on some.
_LEAST_ITEM_SD = 1.0
#: 4 p (1-p) at 5 or 95 % of right answers: beyond it training has no room to show its noise.
_LEAST_ROOM = 4 * 0.05 * 0.95


@dataclass(frozen=True)
class SeedScores:
    """The scores of an earlier study's arms on one benchmark.

    Attributes:
        accuracy: shape (arms, seeds), in points.
    """

    benchmark: str
    n_items: int
    accuracy: Sequence[Sequence[float]]


def planned(
    fact: BenchmarkFacts,
    n_items: int,
    seeds: int,
    config: CompareConfig,
    *,
    n_clusters: int | None = None,
    accuracy: float | None = None,
) -> PlannedBenchmark:
    """Return what is assumed of a benchmark, its role by the rule that `findings.find` follows after the run.

    Args:
        accuracy: of the control, 0 to 1, where it can be guessed; the spread is then `item_spread` of it, and otherwise
            the config's.
    """
    primary = fact.domain == "math" if config.primary is None else fact.name in config.primary
    role: Role = "primary" if primary else "guard" if guard_margin(n_items, seeds, config) is not None else "alarm"
    return PlannedBenchmark(
        benchmark=fact.name,
        domain=fact.domain,
        role=role,
        n_items=n_items,
        n_clusters=n_clusters,
        item_sd=config.planned_item_sd if accuracy is None else item_spread(accuracy),
    )


def item_spread(accuracy: float, agreement: float = 0.8) -> float:
    """Return the spread of an item's difference of two arms, in points: 100 sqrt(2 p (1-p) (1-agreement)).

    Args:
        accuracy: p of either arm, 0 to 1.
        agreement: the correlation of the two arms' answers over items; 0.8 is ours for arms that share 80 % of their
            data, against the 0.3 to 0.7 that Miller (arXiv:2411.00640) finds between unrelated models.
    """
    # One item in a hundred that differs is assumed at the least: no benchmark is all right or all wrong for sure.
    return 100 * math.sqrt(max(0.01, 2 * accuracy * (1 - accuracy) * (1 - agreement)))


def training_noise(
    scores: Sequence[SeedScores], declared: TrainingNoise, *, flip_sd: float = 20.0, source: str = "earlier studies"
) -> TrainingNoise:
    """Return the spread of a seed's difference that training alone makes, to plan with.

    It is what earlier studies found: the mean square of the arm x seed residuals, twice, over all benchmarks by their
    degrees of freedom, less what answers that flip by luck add to it. Where nothing is left, or where the truth could
    well be (one chance in twenty) beyond the most that a plan shows, they say too little: then the noise is the one
    declared, unless more was found.

    Args:
        declared: what to plan with where earlier studies say too little.
        flip_sd: the spread of an item's difference from seed to seed, in points, where half of the answers are right;
            its square falls as p (1-p).
        source: what the scores are of, in words.
    """
    squares, flips, degrees = _residuals(scores, flip_sd)
    if degrees == 0:
        return declared
    points = math.sqrt(max(0.0, squares - flips))
    highest = squares * degrees / float(special.chdtri(degrees, 0.95)) - flips
    unsure = points == 0 or highest > (_TIMES[-1] * points) ** 2
    if unsure and points <= declared.points:
        return declared.model_copy(update={"source": f"{declared.source}, since {source} say too little"})
    return TrainingNoise(points=round(points, 4), source=source, degrees=degrees)


def _residuals(scores: Sequence[SeedScores], flip_sd: float) -> tuple[float, float, int]:
    """Return the mean square of a seed's difference, what of it flips make, and the degrees of freedom of both."""
    squares, flips, degrees = 0.0, 0.0, 0
    for one in scores:
        table = np.asarray(one.accuracy, dtype=np.float64)
        share = float(table.mean()) / 100
        room = 4 * share * (1 - share)
        if room < _LEAST_ROOM:
            continue
        free = (table.shape[0] - 1) * (table.shape[1] - 1)
        residual = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
        squares += 2 * float((residual**2).sum())
        flips += free * room * flip_sd**2 / one.n_items
        degrees += free
    return squares / max(1, degrees), flips / max(1, degrees), degrees


def plan(
    benchmarks: Sequence[PlannedBenchmark],
    *,
    seeds: int,
    candidates: int,
    noise: TrainingNoise,
    config: CompareConfig,
    effect: Mapping[str, float] | None = None,
    item_share: float = ITEM_SHARE,
) -> PowerPlan:
    """Return what a study can show.

    Args:
        benchmarks: at least one of them primary.
        noise: assumed to be the same on every benchmark; chances are given at half, once and twice of it.
        effect: the effect to see, in points, by primary; None: `config.effect` on all. A primary left out has none.
        item_share: the share of the study's cost that grows with the number of items.

    Raises:
        StudyError: if no benchmark is primary, or an effect names one that is not.
    """
    rule = Rule(candidates, sum(one.role == "primary" for one in benchmarks), config)
    wanted = _effects(benchmarks, effect, config)
    return PowerPlan(
        seeds=seeds,
        candidates=candidates,
        noise=noise,
        effect=wanted,
        benchmarks=tuple(benchmark_power(one, seeds, noise.points, rule) for one in benchmarks),
        chances=tuple(effect_chance(benchmarks, seeds, noise.points, times, wanted, rule) for times in _TIMES),
        needed=needed(
            benchmarks,
            seeds=seeds,
            candidates=candidates,
            noise=noise,
            config=config,
            effect=wanted,
            item_share=item_share,
        ),
    )


def needed(
    benchmarks: Sequence[PlannedBenchmark],
    *,
    seeds: int,
    candidates: int,
    noise: TrainingNoise,
    config: CompareConfig,
    effect: Mapping[str, float] | None = None,
    chance: float = CHANCE,
    item_share: float = ITEM_SHARE,
) -> Needed:
    """Return what it would take to see an effect on any primary with the given chance: seeds alone, or items alone.

    More seeds multiply the whole cost, more items only their share of it; the cheaper of the two is named. Up to 50
    seeds and 100 times the items are looked at.

    Args and raises: as in `plan`.
    """
    wanted = _effects(benchmarks, effect, config)
    primaries = [one for one in benchmarks if one.role == "primary"]
    rule = Rule(candidates, len(primaries), config)

    def seen(n_seeds: float, times: float) -> float:
        more = [_times(one, times) for one in primaries]
        return any_of(first_up(more, round(n_seeds), noise.points, wanted, rule))

    more_seeds = _least(
        np.arange(max(2, seeds), _MOST_SEEDS + 1, dtype=np.float64), lambda count: seen(count, 1.0), chance
    )
    more_items = _least(np.geomspace(1, _MOST_ITEMS_TIMES, 101), lambda times: seen(seeds, times), chance)
    costs: dict[Literal["seeds", "items"], float] = {}
    if more_seeds is not None:
        costs["seeds"] = more_seeds / seeds
    if more_items is not None:
        costs["items"] = 1 + item_share * (more_items - 1)
    cheapest = min(costs, key=lambda change: costs[change], default=None)
    return Needed(
        effect=wanted,
        chance=chance,
        now=round(seen(seeds, 1.0), 4),
        seeds=None if more_seeds is None else round(more_seeds),
        items_times=None if more_items is None else round(more_items, 2),
        cheapest="nothing" if cheapest and costs[cheapest] == 1 else cheapest,
        cost_times=round(costs[cheapest], 2) if cheapest else None,
    )


def needed_after(deltas: Sequence[Delta], *, candidates: int, config: CompareConfig) -> Needed:
    """Return what it would have taken to see `config.effect`, with the spreads that a study found.

    The training noise is the root mean square over its benchmarks of what they found.

    Args:
        deltas: one candidate's, all its benchmarks'; `candidates` counts those of the study.

    Raises:
        StudyError: if none is primary.
    """
    found = [
        PlannedBenchmark(
            benchmark=delta.benchmark,
            domain=delta.domain,
            role=delta.role,
            n_items=delta.n_items,
            n_clusters=delta.n_clusters,
            item_sd=max(delta.item_sd, _LEAST_ITEM_SD),
            design_effect=1.0,  # what was found holds it already
        )
        for delta in deltas
    ]
    squares = [delta.training_noise**2 for delta in deltas]
    noise = TrainingNoise(points=round(math.sqrt(sum(squares) / len(squares)), 4), source="this study")
    return needed(found, seeds=deltas[0].n_seeds, candidates=candidates, noise=noise, config=config)


def _effects(
    benchmarks: Sequence[PlannedBenchmark], effect: Mapping[str, float] | None, config: CompareConfig
) -> dict[str, float]:
    primaries = [one.benchmark for one in benchmarks if one.role == "primary"]
    if not primaries:
        raise StudyError(
            "no benchmark of the plan is primary, so nothing decides", remedy="name one in compare.primary"
        )
    if effect is None:
        return dict.fromkeys(primaries, config.effect)
    if others := sorted(set(effect) - set(primaries)):
        raise StudyError(
            f"the effect to see names {', '.join(others)}, which does not decide",
            remedy=f"name primaries: {', '.join(primaries)}",
        )
    return {name: effect.get(name, 0.0) for name in primaries}


def _times(one: PlannedBenchmark, times: float) -> PlannedBenchmark:
    """Return a benchmark of so many times the items, in clusters of the same size."""
    n_clusters = None if one.n_clusters is None else round(times * one.n_clusters)
    return one.model_copy(update={"n_items": round(times * one.n_items), "n_clusters": n_clusters})


def _least(choices: Floats, seen: Callable[[float], float], chance: float) -> float | None:
    """Return the first of ascending choices that is seen with the chance wanted; None if none is."""
    if seen(choices[-1]) < chance:
        return None
    return float(choices[bisect.bisect_left(choices, chance, key=seen)])

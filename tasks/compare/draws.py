"""Mean squares that a planned study could find, drawn at random and put through the estimator of `deltas`.

One fixed seed for every table of draws makes what follows from them a function of the plan alone.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from tasks.compare.deltas import Estimate, Squares, estimate
from tasks.compare.pairing import Floats
from tasks.core.results import PlannedBenchmark

#: Draws of a study; a chance of 80 % is then known to half a point, and the same for equal plans.
DRAWS = 4000
#: The mean over clusters varies by the size of a cluster times at most; a plan that does not know assumes up to this.
_MOST_DESIGN_EFFECT = 2.0


@dataclass(frozen=True)
class Drawn:
    """What studies of one plan would estimate of one benchmark on which nothing changed, in shares of 1.

    Attributes:
        estimated: standard errors and degrees of freedom, shape (draws,).
        sd: how far the middle of the interval really varies; `pull` is n/(n+2), by which it is drawn towards zero.
    """

    estimated: Estimate
    sd: float
    pull: float

    def above(self, bound: float, effect: float, level: float) -> float:
        """Return the chance that a true `effect` is shown, one-sided at `level`, to lie above `bound`; in points."""
        reach = (self.pull * effect - bound) / 100 - self.reach(level)
        return float(special.ndtr(reach / self.sd).mean())

    def reach(self, level: float) -> Floats:
        """Return how far below its middle each draw's one-sided interval reaches, in shares of 1."""
        return self.estimated.half_width(level)

    def centres(self, stream: int) -> Floats:
        """Return one middle for each draw; other streams are independent."""
        return self.sd * np.random.default_rng([stream, 2]).standard_normal(DRAWS)


def draw(
    benchmark: PlannedBenchmark,
    seeds: int,
    candidates: int,
    noise: float,
    stream: int = 0,
    luck_of: tuple[tuple[int, float], ...] = (),
) -> Drawn:
    """Return what `seeds` seeds (at least two) of `candidates` candidates would estimate, at `noise` points.

    Args:
        stream: draws of other streams are independent.
        luck_of: where the benchmark is made of others, their streams, each with its share of the seeds' spread.
    """
    n, groups = benchmark.n_items, benchmark.n_clusters or benchmark.n_items
    item = (benchmark.item_sd / 100) ** 2
    spread = item * design_effect(benchmark)
    flips = min((benchmark.flip_sd / 100) ** 2, seeds * item)
    training = (noise / 100) ** 2
    pool, seed = _seed_squares(seeds, candidates, luck_of or ((stream, 1.0),))
    degrees = n + 1 if groups == n else groups - 1
    squares = Squares(
        n_items=n,
        n_seeds=seeds,
        n_clusters=groups,
        degrees_items=degrees,
        degrees_seeds=candidates * (seeds - 1),
        mean=np.zeros(DRAWS),
        items=seeds * (n * spread * _item_squares(min(degrees, n - 1), stream) + 1 / seeds) / (n + 1),
        seeds=(flips + n * training) * seed,
        errors=np.full(DRAWS, flips),
        pool=(flips + n * training) * pool,
    )
    pull = n / (n + 2)
    return Drawn(estimated=estimate(squares), sd=pull * math.sqrt(spread / n + training / seeds), pull=pull)


def design_effect(benchmark: PlannedBenchmark) -> float:
    """Return how many times more the mean varies than if items stood alone."""
    if benchmark.design_effect is not None:
        return benchmark.design_effect
    return min(_MOST_DESIGN_EFFECT, benchmark.n_items / (benchmark.n_clusters or benchmark.n_items))


@functools.lru_cache(maxsize=64)
def _seed_squares(seeds: int, candidates: int, luck_of: tuple[tuple[int, float], ...]) -> tuple[Floats, Floats]:
    """Return Pool and MSS of the first candidate, as multiples of what they expect, by arms x seeds normal numbers."""
    scores, size = np.zeros((DRAWS, candidates + 1, seeds)), math.hypot(*(share for _, share in luck_of))
    for stream, share in luck_of:
        scores += share / size * np.random.default_rng([stream, 0]).standard_normal(scores.shape)
    residual = scores - scores.mean(axis=2, keepdims=True) - scores.mean(axis=1, keepdims=True)
    residual = residual + scores.mean(axis=(1, 2), keepdims=True)
    pool = (residual**2).sum(axis=(1, 2)) / (candidates * (seeds - 1))
    return pool, (scores[:, 1] - scores[:, 0]).var(axis=1, ddof=1) / 2


@functools.lru_cache(maxsize=64)
def _item_squares(degrees: int, stream: int) -> Floats:
    return np.asarray(np.random.default_rng([stream, 1]).chisquare(degrees, DRAWS) / degrees)

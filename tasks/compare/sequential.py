"""Looking at a study more than once: how much error each look may spend. When to stop is `stopping`.

Seeds are added until the study is clear, so the same question is asked at S_1 < S_2 < ... < S_max seeds. The level
gamma of a test is spent by Lan and DeMets' function of O'Brien-Fleming type,

::

    spent(f) = 2 (1 - Phi(z_{gamma/2} / sqrt f)),   f = S_k / S_max

and the level at look k is what makes the chance of a first crossing there, with nothing changed, equal to
spent(f_k) - spent(f_{k-1}) (Armitage, McPherson and Rowe's recursion over the score process). The fraction counts
seeds, not planned variance: looks share their items, so their differences are more alike than seeds alone make them,
and by Slepian's inequality that only lowers the chance of any crossing. A fraction by planned variance would spend too
much early on wherever training turns out noisier than planned.

Up and down are two one-sided tests, each at its own level. Each step of Holm's procedure spends its own level, which
keeps the family-wise error (Maurer and Bretz, 2013). Nothing is added to a level that was not used up.

Sources: Lan and DeMets (1983), Biometrika 70; Jennison and Turnbull (2000), chapters 7 and 19; Maurer and Bretz (2013),
Statistics in Biopharmaceutical Research 5.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from tasks.compare.config import CompareConfig
from tasks.compare.pairing import Floats
from tasks.core.errors import StudyError

#: Standard deviations beyond which a path's probability is nothing, and the points at which its density is held.
_REACH, _POINTS = 9.0, 300


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

    def until(self, seeds: int) -> Rule:
        """Return the rule with its last look at so many seeds: levels and margins are planned for that one."""
        if self.config.looks is None:
            return self
        looks = (*(look for look in self.config.looks[:-1] if look < seeds), seeds)
        return dataclasses.replace(self, config=self.config.model_copy(update={"looks": looks}))


def level(alpha: float, seeds: int, looks: tuple[int, ...] | None) -> float:
    """Return the one-sided level of a test at this look, of `alpha` over all looks; `alpha` itself without looks.

    Raises:
        StudyError: if the study does not look at this number of seeds.
    """
    if looks is None:
        return alpha
    if seeds not in looks:
        raise StudyError(
            f"compare.looks: there are scores of {seeds} seeds, and looks at {', '.join(map(str, looks))}",
            remedy="compare at one of the declared looks; one added afterwards would break the error level",
        )
    return levels(alpha, looks)[looks.index(seeds)]


@functools.cache
def levels(alpha: float, looks: tuple[int, ...]) -> tuple[float, ...]:
    """Return the one-sided level of every look, which together spend `alpha`."""
    found, spent, before = list[float](), 0.0, 0.0
    at, mass = np.zeros(1), np.ones(1)  # where the score is, and with what probability no bound was crossed yet
    for seeds in looks:
        fraction = seeds / looks[-1]
        step, room = math.sqrt(fraction - before), _spent(alpha, fraction) - spent
        bound = _bound(at, mass, step, room, fraction)
        found.append(float(special.ndtr(-bound / math.sqrt(fraction))))
        edge = _REACH * math.sqrt(fraction)
        point, weight = _nodes()
        half = (min(bound, edge) + edge) / 2
        moved = half * (point + 1) - edge
        density = np.exp(-(((moved[:, None] - at) / step) ** 2) / 2) @ mass / (step * math.sqrt(2 * math.pi))
        at, mass = moved, density * weight * half
        spent, before = spent + room, fraction
    return tuple(found)


@functools.cache
def _nodes() -> tuple[Floats, Floats]:
    point, weight = np.polynomial.legendre.leggauss(_POINTS)
    return np.asarray(point), np.asarray(weight)


def _spent(alpha: float, fraction: float) -> float:
    return float(2 * special.ndtr(special.ndtri(alpha / 2) / math.sqrt(fraction)))


def _bound(at: Floats, mass: Floats, step: float, room: float, fraction: float) -> float:
    """Return the score above which a probability of `room` lies, one step from `at`."""
    most = 40 * math.sqrt(fraction)

    def excess(bound: float) -> float:
        return float(mass @ special.ndtr((at - bound) / step)) - room

    # So little is left to spend that no double holds it: nothing can cross.
    return most if excess(most) >= 0 else float(optimize.brentq(excess, 0.0, most, xtol=1e-12))

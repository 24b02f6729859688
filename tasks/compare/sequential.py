"""Looking at a study more than once: how much error each look may spend, and when to stop.

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

import functools
import math
from typing import Literal

import numpy as np
from scipy import optimize, special

from tasks.compare.config import CompareConfig
from tasks.compare.pairing import Floats
from tasks.core.errors import StudyError
from tasks.core.identity import Frozen
from tasks.core.results import CandidateResult, Comparison, Delta, DomainDelta

#: A study is hopeless below this chance that a further look makes it clear.
FUTILE = 0.1
#: Standard deviations beyond which a path's probability is nothing, and the points at which its density is held.
_REACH, _POINTS = 9.0, 300


class Decision(Frozen):
    """What to do after a look.

    Attributes:
        action: ``continue`` with the next look; ``stop clear``: every candidate has a verdict; ``stop futile``: no
            candidate without one is likely to get one, or this was the last look.
        next_seeds: how many seeds the next look has, in all; None where the study stops.
        chances: for each candidate that is still inconclusive, the chance that the last look makes it clear.
        sentence: why, in plain words.
    """

    action: Literal["continue", "stop clear", "stop futile"]
    next_seeds: int | None
    chances: dict[str, float]
    sentence: str


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


def decide(comparison: Comparison, config: CompareConfig) -> Decision:
    """Return whether a study that was looked at goes on.

    Futility is not binding: going on regardless keeps every error level. For each candidate still inconclusive it is
    the predictive chance of a clear verdict at the last look, from the differences found and no prior (Spiegelhalter,
    Freedman and Blackburn, 1986): D_last given D_now is normal with mean D_now and variance se_now^2 (1 - S_now/S_max).

    Raises:
        StudyError: if the config has no looks, or none at this number of seeds.
    """
    seeds, looks = len(comparison.seeds), config.looks
    if looks is None:
        raise StudyError(
            "compare.looks: the study has none", remedy="declare the numbers of seeds at which it may stop"
        )
    level(config.alpha, seeds, looks)
    open_ones = [one for one in comparison.candidates if one.verdict == "inconclusive"]
    if not open_ones:
        return Decision(action="stop clear", next_seeds=None, chances={}, sentence="Every candidate has a verdict.")
    if seeds == looks[-1]:
        names = ", ".join(one.name for one in open_ones)
        return Decision(
            action="stop futile",
            next_seeds=None,
            chances={one.name: 0.0 for one in open_ones},
            sentence=f"{seeds} seeds were the last look, and {names} stayed inconclusive.",
        )
    tests = len(comparison.candidates)
    chances = {one.name: round(_clear(one, seeds, tests, looks, config), 4) for one in open_ones}
    said = ", ".join(f"{name} {100 * chance:.0f} %" for name, chance in chances.items())
    if max(chances.values()) < FUTILE:
        return Decision(
            action="stop futile",
            next_seeds=None,
            chances=chances,
            sentence=f"Even {looks[-1]} seeds would hardly make it clear (chance: {said}).",
        )
    following = looks[looks.index(seeds) + 1]
    return Decision(
        action="continue",
        next_seeds=following,
        chances=chances,
        sentence=f"Not clear at {seeds} seeds; next look at {following} (chance to be clear at the last: {said}).",
    )


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


def _clear(result: CandidateResult, seeds: int, tests: int, looks: tuple[int, ...], config: CompareConfig) -> float:
    """Return the predictive chance that the last look gives a candidate a verdict."""
    primaries = [delta for delta in result.deltas if delta.role == "primary"]
    share = seeds / looks[-1]
    test = _quantile(levels(config.alpha / (len(primaries) * tests), looks)[-1])
    guard = _quantile(levels(config.alarm_alpha, looks)[-1])
    still_up, still_down, band, passes = 1.0, 1.0, 1.0, 1.0
    for delta in primaries:
        se = delta.standard_error
        still_up *= 1 - _above(delta.delta, se, share, test)
        still_down *= 1 - _above(-delta.delta, se, share, test)
        inside = _above(delta.delta + config.band, se, share, guard) + _above(
            config.band - delta.delta, se, share, guard
        )
        band *= max(0.0, inside - 1)
    guards: tuple[Delta | DomainDelta, ...] = (*result.deltas, *result.domains)
    for one in guards:
        passes *= _passes(one, share, guard, config)
    return min(1.0, (1 - still_up) * passes + (1 - still_down) + band)


def _passes(one: Delta | DomainDelta, share: float, guard: float, config: CompareConfig) -> float:
    """Return the predictive chance that a guard, an alarm or a domain does not stand in the way at the last look."""
    if isinstance(one, DomainDelta):
        # A domain says its interval only; as if it were normal, its standard error comes out too large, not too small.
        se = (one.high - one.low) / 2 / _quantile((1 - config.confidence) / 2)
        return _above(one.delta + one.margin, se, share, guard)
    if one.role == "primary":
        return 1.0
    if one.margin is None:
        return _above(one.delta, one.standard_error, share, -_quantile(config.alarm_alpha))
    return _above(one.delta + one.margin, one.standard_error, share, guard)


def _above(delta: float, se: float, share: float, deviates: float) -> float:
    """Return the chance that the last look's difference lies above so many of its own standard errors."""
    return float(special.ndtr((delta - deviates * se * math.sqrt(share)) / (se * math.sqrt(1 - share))))


def _quantile(one_sided: float) -> float:
    return float(-special.ndtri(one_sided))

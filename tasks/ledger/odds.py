"""Two proportions compared over strata, exactly: the common odds ratio, given every stratum's margins.

Within a stratum, given its margins, the count of successes in the first group is noncentral hypergeometric in the odds
ratio (Fisher). The sum over strata has their convolution; its conditional maximum of likelihood, its interval (both
tails of (1 - confidence) / 2) and its p-value (twice the smaller tail) follow from it alone (Gart, Biometrika 57, 1970;
with one stratum it is `scipy.stats.contingency.odds_ratio`). No normal theory, so small counts are safe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.core.ledgers import OddsRatio

Floats = NDArray[np.floating[Any]]

#: What is less likely than this, against the likeliest, is left out of a distribution.
_NEGLIGIBLE = 1e-18
#: The natural logarithm of the largest odds ratio that is looked for.
_FARTHEST = 64.0


class Stratum(NamedTuple):
    """Successes and trials of two groups that are alike but for what is asked."""

    first: int
    first_trials: int
    second: int
    second_trials: int

    @property
    def informative(self) -> bool:
        """Whether its margins leave anything to chance."""
        successes, trials = self.first + self.second, self.first_trials + self.second_trials
        return 0 < successes < trials and self.first_trials > 0 and self.second_trials > 0


def common_odds_ratio(strata: Sequence[Stratum], confidence: float) -> OddsRatio | None:
    """Return the odds of success in the first group over those in the second, None where no stratum says anything."""
    from scipy.optimize import brentq

    telling = [one for one in strata if one.informative]
    if not telling:
        return None
    seen = sum(one.first for one in telling)
    least = sum(max(0, one.first + one.second - one.second_trials) for one in telling)
    most = sum(min(one.first_trials, one.first + one.second) for one in telling)
    tail = (1 - confidence) / 2

    def solved(function: Callable[[float], float]) -> float:
        """Return the odds ratio at which a function that falls or rises in its logarithm is zero."""
        return _rounded(float(np.exp(brentq(function, -_FARTHEST, _FARTHEST, xtol=1e-10))))

    return OddsRatio(
        estimate=None if seen == most else 0.0 if seen == least else solved(lambda x: _mean(telling, x) - seen),
        low=0.0 if seen == least else solved(lambda x: _at_least(telling, x, seen) - tail),
        high=None if seen == most else solved(lambda x: _at_most(telling, x, seen) - tail),
        p_value=_rounded(min(1.0, 2 * min(_at_least(telling, 0.0, seen), _at_most(telling, 0.0, seen)))),
        confidence=confidence,
    )


def _rounded(value: float) -> float:
    """Return a number to six digits: further ones are the solver's, and other machines have others."""
    return float(f"{value:.6g}")


def _mean(strata: Sequence[Stratum], log_odds: float) -> float:
    first, chances = _distribution(strata, log_odds)
    return float(((first + np.arange(len(chances))) * chances).sum())


def _at_least(strata: Sequence[Stratum], log_odds: float, seen: int) -> float:
    first, chances = _distribution(strata, log_odds)
    return float(chances[max(0, seen - first) :].sum())


def _at_most(strata: Sequence[Stratum], log_odds: float, seen: int) -> float:
    first, chances = _distribution(strata, log_odds)
    return float(chances[: max(0, seen - first + 1)].sum())


def _distribution(strata: Sequence[Stratum], log_odds: float) -> tuple[int, Floats]:
    """Return the smallest sum of first-group successes that is not negligible, and the chances from there on."""
    first, chances = 0, np.asarray([1.0])
    for stratum in strata:
        offset, own = _of_stratum(stratum, log_odds)
        first, chances = first + offset, np.convolve(chances, own)
        first, chances = _trimmed(first, chances)
    return first, chances


def _of_stratum(one: Stratum, log_odds: float) -> tuple[int, Floats]:
    first, ways = _ways(one)
    logs = ways + log_odds * np.arange(first, first + len(ways))
    return _trimmed(first, np.exp(logs - logs.max()))


@lru_cache(maxsize=1024)
def _ways(one: Stratum) -> tuple[int, Floats]:
    """Return the fewest successes that the first group can have, and the logarithm of the ways to each count on."""
    from scipy.special import gammaln

    successes = one.first + one.second
    counts = np.arange(max(0, successes - one.second_trials), min(one.first_trials, successes) + 1)
    rest = successes - counts
    logs = gammaln(counts + 1) + gammaln(one.first_trials - counts + 1)
    return int(counts[0]), -(logs + gammaln(rest + 1) + gammaln(one.second_trials - rest + 1))


def _trimmed(first: int, chances: Floats) -> tuple[int, Floats]:
    kept = np.flatnonzero(chances > _NEGLIGIBLE * chances.max())
    chances = chances[kept[0] : kept[-1] + 1]
    return first + int(kept[0]), chances / chances.sum()

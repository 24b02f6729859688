"""Whether a study that was looked at goes on: while more seeds are likely to give a verdict that is not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tasks.compare.config import CompareConfig
from tasks.compare.prospects import FUTILE, prospect
from tasks.compare.sequential import level
from tasks.core.errors import StudyError
from tasks.core.identity import Frozen
from tasks.core.results import Comparison

#: What more seeds do not bring, as it is said.
_NOT_BY_SEEDS: Mapping[str, str] = {
    "agreement": "turns on the grader, and more seeds do not make graders agree",
    "clean items": "lacks items that its rows do not match, and more seeds add none",
}


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


def decide(comparison: Comparison, config: CompareConfig) -> Decision:
    """Return whether a study that was looked at goes on. Futility does not bind: going on keeps every error level.

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
    prospects = {one.name: prospect(one, seeds, tests, looks, config) for one in open_ones}
    chances = {name: round(one.chance, 4) for name, one in prospects.items()}
    said = ", ".join(f"{name} {100 * chance:.0f} %" for name, chance in chances.items())
    why = "".join(f" {name} {_NOT_BY_SEEDS[one.held]}." for name, one in prospects.items() if one.held != "nothing")
    if max(chances.values()) < FUTILE:
        return Decision(
            action="stop futile",
            next_seeds=None,
            chances=chances,
            sentence=f"Even {looks[-1]} seeds would hardly make it clear (chance: {said}).{why}",
        )
    following = looks[looks.index(seeds) + 1]
    return Decision(
        action="continue",
        next_seeds=following,
        chances=chances,
        sentence=f"Not clear at {seeds} seeds; next look at {following} (chance to be clear at the last: {said}).{why}",
    )

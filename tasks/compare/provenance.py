"""Whether two arms were asked the same by the same engines: a difference between engines is no difference between data.

The control, at the first seed it was scored at, is the measure; every other (arm, seed) of a benchmark has to match it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.core.errors import IntegrityError
from tasks.core.identity import canonical


@dataclass(frozen=True)
class Origin:
    """How one table of scores came about.

    Attributes:
        asked: what the evaluation was: its stage, version and identity config (benchmark, split, limit, sampling).
        scored_by: the engines that scored and their versions.
        trained_by: the engines that trained the model and their versions.
        graded_by: the engines that graded the answers again and their versions; empty where none did.
        scores: where the scores lie.
        model: where the model lies, empty where it is not known.
        grades: where the second grading lies, empty where there is none.
    """

    asked: Mapping[str, Any]
    scored_by: Mapping[str, Any]
    trained_by: Mapping[str, Any]
    scores: str
    model: str
    graded_by: Mapping[str, Any] = field(default_factory=dict)
    grades: str = ""


def check_origins(origins: Mapping[tuple[str, int, str], Origin], control: str) -> None:
    """Check that all (arm, seed) of a benchmark were evaluated alike, and all models trained by the same engines.

    Raises:
        IntegrityError: naming the arm, the seed, what differs, and what to run again.
    """
    ordered = sorted(origins, key=lambda key: (key[0] != control, key))
    measures: dict[str, tuple[str, int]] = {}
    for arm, seed, benchmark in ordered:
        measure = measures.setdefault(benchmark, (arm, seed))
        ours, theirs = origins[arm, seed, benchmark], origins[*measure, benchmark]
        who = f"{arm}, seed {seed}", f"{measure[0]}, seed {measure[1]}"
        again = f"remove {ours.scores} (or, to keep it, {theirs.scores}) and run again: it will be scored anew"
        _check_same(f"{benchmark} was asked differently", ours.asked, theirs.asked, who, again)
        _check_same(f"{benchmark} was scored by other engines", ours.scored_by, theirs.scored_by, who, again)
        again = f"remove {ours.grades} (or, to keep it, {theirs.grades}) and run again: it will be graded anew"
        _check_same(f"{benchmark} was graded again by other engines", ours.graded_by, theirs.graded_by, who, again)
        again = f"remove {ours.model} (or, to keep it, {theirs.model}) and run again: it will be trained anew"
        _check_same("the models were trained by other engines", ours.trained_by, theirs.trained_by, who, again)


def _check_same(
    what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], who: tuple[str, str], again: str
) -> None:
    left, right = canonical(ours), canonical(theirs)
    for name in sorted(set(left) | set(right)):
        if left.get(name) != right.get(name):
            raise IntegrityError(
                f"{what}: {name} is {left.get(name)!r} for {who[0]} and {right.get(name)!r} for {who[1]}", remedy=again
            )

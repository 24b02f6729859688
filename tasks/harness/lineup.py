"""Sides of a comparison as tables that line up: the same benchmarks and seeds on every side, each item once.

A side is a model, or several trainings of it: one path whose rows say their seed, or several paths, which are seeds 1,
2, ... in the order they are named. Seeds are paired by number, so the second path of a candidate goes with the second
path of the control. What cannot be lined up is an error that names file and line; nothing is left out to make it fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tasks.core.errors import DataError, StudyError
from tasks.core.results import Domain
from tasks.harness.answers import Answer, LeftOut, Notes, Reading

#: (arm, seed, benchmark)
Key = tuple[str, int, str]


#: Two trainings do not agree on so many items by chance.
_TELLING = 100


class Side(NamedTuple):
    """One arm: its name, and what was read of it, a reading a seed where there are several."""

    name: str
    readings: tuple[Reading, ...]


class Facts(NamedTuple):
    """What is known of a benchmark that was read."""

    name: str
    domain: Domain
    metric: str


@dataclass
class Table:
    """One arm's answers at one seed on one benchmark, as columns."""

    item: list[str] = field(default_factory=list)
    correct: list[float] = field(default_factory=list)
    cluster: list[str | None] = field(default_factory=list)
    prompt: list[str | None] = field(default_factory=list)


class LineUp(NamedTuple):
    """Tables that line up, and the facts of their benchmarks in the order in which the control names them."""

    tables: dict[Key, Table]
    facts: tuple[Facts, ...]


def line_up(sides: Sequence[Side], domains: Mapping[str, Domain], notes: Notes) -> LineUp:
    """Return the tables of several sides, the control first.

    Args:
        domains: by benchmark, what a file or the catalogue does not say, or says wrongly.

    Raises:
        DataError: if sides are in different formats, score differently, or lack a benchmark or a seed of another; if an
            item is there twice, or some rows say their seed and others do not.
        StudyError: if nobody says what a benchmark measures, or `domains` names one that is not there or was left out.
    """
    _check_formats(sides)
    tables: dict[Key, Table] = {}
    metrics: dict[str, dict[str, set[str]]] = {}
    found: dict[str, Domain | None] = {}
    for side in sides:
        seen: dict[tuple[int, str, str], str] = {}
        for seed, answer in _seeded(side):
            _take(answer, seed, side.name, tables, seen)
            metrics.setdefault(answer.benchmark, {}).setdefault(side.name, set()).add(answer.metric)
            _note_domain(answer, found)
    _check_complete(sides, tables)
    _check_seeds_differ(sides, tables)
    _set_differing_prompts_aside(tables, notes)
    _check_named(sides, domains)
    known = _domains(found, domains)
    facts = tuple(Facts(name, known[name], _metric(name, metrics[name])) for name in found)
    return LineUp(tables=tables, facts=facts)


def _check_formats(sides: Sequence[Side]) -> None:
    first = sides[0].readings[0]
    for reading in (reading for side in sides for reading in side.readings):
        if reading.format != first.format:
            raise DataError(
                f"{first.path} is of {first.format} and {reading.path} of {reading.format}: two tools ask and score in "
                "their own ways",
                remedy="evaluate both sides with the same tool",
            )


def _seeded(side: Side) -> Iterator[tuple[int, Answer]]:
    """Yield a side's answers with their seeds."""
    for number, reading in enumerate(side.readings, start=1):
        says = reading.answers[0].seed is not None
        for answer in reading.answers:
            if (answer.seed is not None) != says:
                raise DataError(
                    f"{answer.origin}: {'no seed' if says else 'a seed'}, unlike the rows before it",
                    remedy="give every row of the file its seed, or none",
                )
            if answer.seed is not None and len(side.readings) > 1:
                raise DataError(
                    f"{answer.origin}: a seed, while each of the {len(side.readings)} paths of {side.name} is a seed",
                    remedy="put all seeds into one file, or leave the field out",
                )
            yield number if answer.seed is None else answer.seed, answer


def _take(answer: Answer, seed: int, arm: str, tables: dict[Key, Table], seen: dict[tuple[int, str, str], str]) -> None:
    place = seed, answer.benchmark, answer.item
    if place in seen:
        raise DataError(
            f"{answer.origin}: item {answer.item!r} of {answer.benchmark}, seed {seed}, a second time; the first is at "
            f"{seen[place]}",
            remedy="keep one row of each item, and give rows of other trainings another seed",
        )
    seen[place] = answer.origin
    table = tables.setdefault((arm, seed, answer.benchmark), Table())
    table.item.append(answer.item)
    table.correct.append(answer.correct)
    table.cluster.append(answer.cluster)
    table.prompt.append(answer.prompt)


def _note_domain(answer: Answer, found: dict[str, Domain | None]) -> None:
    known = found.setdefault(answer.benchmark, answer.domain) or answer.domain
    found[answer.benchmark] = known
    if answer.domain is not None and known != answer.domain:
        raise DataError(
            f"{answer.origin}: {answer.benchmark} is of domain {answer.domain}, and of {known} in other rows",
            remedy="give a benchmark one domain",
        )


def _check_complete(sides: Sequence[Side], tables: Mapping[Key, Table]) -> None:
    places = {(seed, benchmark): arm for arm, seed, benchmark in reversed(list(tables))}
    for side in sides:
        for (seed, benchmark), holder in sorted(places.items()):
            if (side.name, seed, benchmark) not in tables:
                files = ", ".join(str(reading.path) for reading in side.readings)
                why = "".join(f"; {one.why}" for one in _left_out(side) if one.benchmark == benchmark)
                raise DataError(
                    f"{side.name} ({files}) has no results of {benchmark}, seed {seed}, which {holder} has{why}",
                    remedy=f"evaluate {side.name} there too, or take it out of {holder}",
                )


def _left_out(side: Side) -> Iterator[LeftOut]:
    return (one for reading in side.readings for one in reading.left_out)


def _check_named(sides: Sequence[Side], given: Mapping[str, Domain]) -> None:
    """Refuse a benchmark that the user names and that cannot be scored."""
    if named := [one for side in sides for one in _left_out(side) if one.benchmark in given]:
        raise StudyError(
            f"--domain: {named[0].why}",
            remedy='write the scores that count as JSON Lines of {"benchmark", "item", "correct"}, or do not name it',
        )


def _check_seeds_differ(sides: Sequence[Side], tables: Mapping[Key, Table]) -> None:
    """Refuse one training given as two: its copies would pass for trainings that agree, and noise for none."""
    for side in sides:
        outcomes: dict[tuple[object, ...], int] = {}
        for seed in sorted({seed for arm, seed, _ in tables if arm == side.name}):
            keys = sorted(key for key in tables if key[:2] == (side.name, seed))
            answers = [(name, *pair) for *_, name in keys for pair in sorted(_scored(tables[side.name, seed, name]))]
            right = sum(correct for *_, correct in answers)
            if len(answers) < _TELLING or right in (0, len(answers)):
                continue
            if (first := outcomes.setdefault(tuple(answers), seed)) != seed:
                raise DataError(
                    f"{side.name}: seeds {first} and {seed} have the same outcome on {len(answers):,} items: they are "
                    "one training",
                    remedy="give each training once; answers drawn again from one checkpoint are not another seed",
                )


def _scored(table: Table) -> Iterator[tuple[str, float]]:
    return zip(table.item, table.correct, strict=True)


def _set_differing_prompts_aside(tables: Mapping[Key, Table], notes: Notes) -> None:
    """Note benchmarks whose prompts differ between sides, and leave prompts that are not alike out of the tables."""
    asked = {key: dict(zip(table.item, table.prompt, strict=True)) for key, table in tables.items()}
    for benchmark in dict.fromkeys(name for _, _, name in tables):
        keys = [key for key in tables if key[2] == benchmark]
        measure = asked[keys[0]]
        if all(asked[key] == measure for key in keys[1:]):
            continue
        for key in keys:
            tables[key].prompt = [None] * len(tables[key].item)
        if differing := max(_differing(asked[key], measure) for key in keys):
            notes.add(
                f"{benchmark}: prompts differ on {differing:,} of {len(measure):,} items, so the difference is of "
                "prompts too"
            )


def _differing(ours: Mapping[str, str | None], theirs: Mapping[str, str | None]) -> int:
    """Return how many items both sides have with prompts that are known and differ."""
    pairs = ((prompt, theirs.get(item)) for item, prompt in ours.items())
    return sum(one is not None and other is not None and one != other for one, other in pairs)


def _metric(benchmark: str, by_arm: Mapping[str, set[str]]) -> str:
    named = {arm: " and ".join(sorted(metrics)) for arm, metrics in by_arm.items()}
    if len(set(named.values())) > 1:
        said = "; ".join(f"{arm}: {metric}" for arm, metric in named.items())
        raise DataError(f"{benchmark} is scored in different ways ({said})", remedy="evaluate all sides alike")
    return next(iter(named.values()))


def _domains(found: Mapping[str, Domain | None], given: Mapping[str, Domain]) -> dict[str, Domain]:
    if strange := [name for name in given if name not in found]:
        raise StudyError(
            f"--domain: {', '.join(strange)} is not among the benchmarks, {', '.join(found)}", remedy="spell it alike"
        )
    known = {name: given.get(name, domain) for name, domain in found.items()}
    if unknown := [name for name, domain in known.items() if domain is None]:
        raise StudyError(
            f"nobody says what {', '.join(unknown)} measures",
            remedy=" ".join(f"--domain {name}=math" for name in unknown) + " (or knowledge, reasoning, coding)",
        )
    return {name: domain for name, domain in known.items() if domain is not None}

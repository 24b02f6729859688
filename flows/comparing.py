"""`assay compare`: anybody's results, by the same rule as a study's. Nothing is trained, evaluated or fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np

from flows.findings import candidate_for_scripts
from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.pairing import Key, Scores
from tasks.compare.task import compare_tables
from tasks.core.digests import input_digest
from tasks.core.errors import StudyError
from tasks.core.identity import Frozen, fingerprint
from tasks.core.results import Comparison, Domain
from tasks.core.store import Draft
from tasks.evaluate.registry import REGISTRY
from tasks.harness.answers import Format, Notes, Reading
from tasks.harness.catalogue import Known
from tasks.harness.formats import read
from tasks.harness.items import check_items
from tasks.harness.lineup import LineUp, Side, Table, line_up
from tasks.harness.sides import arms
from tasks.report.config import Named, ReportData
from tasks.report.task import write_files

_NOT_KNOWN = "how many answers were cut at the output limit is not known"
_NOT_LOOKED_AT = (
    "one grader alone called the answers right, and nobody looked whether the training rows hold benchmark items: a "
    "gain can be of either"
)


class Input(Frozen):
    """What was read for one arm.

    Attributes:
        digest: of the names and contents of the files that were read.
    """

    arm: str
    paths: tuple[str, ...]
    format: Format
    digest: str


class Compared(Frozen):
    """A comparison of anybody's results.

    Attributes:
        notes: choices that were made in reading, and what was not known, for people.
        date: when the newest of the files was written, ISO 8601.
    """

    comparison: Comparison
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]
    date: str

    @property
    def name(self) -> str:
        """What the comparison is called."""
        return f"against {self.comparison.control}"


def compare_results(controls: Sequence[Path], candidates: Sequence[Path], domains: Mapping[str, Domain]) -> Compared:
    """Return the comparison of results that lie on this disk; see `tasks.harness.sides.arms` for paths and seeds.

    Raises:
        DataError: if a path cannot be read, or two sides cannot be lined up.
        StudyError: if paths cannot be shared out, or nobody says what a benchmark measures.
        IntegrityError: if two sides answered different items, or put them into different clusters.
    """
    notes, known = Notes(), catalogue()
    sides = [
        Side(name, tuple(read(path, known, notes) for path in paths))
        for name, paths in arms(controls, candidates).items()
    ]
    lined_up = line_up(sides, domains, notes)
    check_items(sides, lined_up.tables)
    if not any(fact.domain == "math" for fact in lined_up.facts):
        notes.add("no benchmark is of domain math, so all of them decide")
    comparison = _comparison(lined_up, [side.name for side in sides])
    if any(candidate.verdict in ("helps", "trades") for candidate in comparison.candidates):
        notes.add(_NOT_LOOKED_AT)
    return Compared(
        comparison=comparison,
        inputs=tuple(_input(side) for side in sides),
        notes=tuple(notes),
        date=_newest(sides),
    )


def catalogue() -> tuple[Known, ...]:
    """Return what the registry knows of benchmarks."""
    return tuple(
        Known(
            name=name,
            domain=one.domain,
            subsets=one.subsets,
            tasks=one.abbrs(None),
            clustered=one.cluster == "subset",
        )
        for name, one in REGISTRY.items()
    )


def parse_domains(given: Sequence[str]) -> dict[str, Domain]:
    """Return what ``NAME=DOMAIN`` on the command line says.

    Raises:
        StudyError: if one of them does not say so, or two of them say different things of a benchmark.
    """
    found: dict[str, Domain] = {}
    for text in given:
        name, _, said = text.partition("=")
        domain = next((one for one in get_args(Domain) if one == said), None)
        if not name or domain is None:
            raise StudyError(f"--domain: {text!r}", remedy=f"write NAME=DOMAIN, one of {', '.join(get_args(Domain))}")
        if found.setdefault(name, domain) != domain:
            raise StudyError(f"--domain: {name} is said to be {found[name]} and {domain}", remedy="say one of them")
    return found


def write_report(compared: Compared, folder: Path) -> Path:
    """Write ``report.html``, ``report.md`` and ``report.json`` into a folder, and return the first.

    Raises:
        StudyError: if it is no folder, and cannot be made one, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_files(report_data(compared), Draft(folder=folder, scratch=folder))
    except OSError as error:
        raise StudyError(
            f"--report: {folder} is no folder that can be written: {error.strerror}", remedy="name another"
        ) from error
    return folder / "report.html"


def report_data(compared: Compared) -> ReportData:
    """Return what the report of a comparison shows: what little is known of results that others made."""
    formats = dict.fromkeys(one.format for one in compared.inputs)
    return ReportData(
        study=compared.name,
        question=f"Results that were there ({', '.join(formats)}), compared item by item; nothing was trained for it.",
        setting=tuple(Named(name=f"read for {one.arm}", value=", ".join(one.paths)) for one in compared.inputs),
        comparison=compared.comparison,
        digests=tuple(Named(name=f"results of {one.arm}", value=one.digest) for one in compared.inputs),
        date=compared.date,
        warnings=(*compared.notes, _NOT_KNOWN),
    )


def as_json(compared: Compared, report: Path | None) -> dict[str, Any]:
    """Return what ``assay compare --json`` prints: that of ``assay show --json``, with what was read beside it."""
    return {
        "study": compared.name,
        "report": None if report is None else str(report),
        "candidates": [
            candidate_for_scripts(candidate) | {"tokens": None, "seconds": None}
            for candidate in compared.comparison.candidates
        ],
        "warnings": list(compared.comparison.warnings),
        "inputs": [one.model_dump(mode="json") for one in compared.inputs],
        "notes": list(compared.notes),
    }


def _comparison(lined_up: LineUp, names: Sequence[str]) -> Comparison:
    """Return the comparison, its candidates and benchmarks in the order in which they were named."""
    benchmarks = [fact.name for fact in lined_up.facts]
    facts = [
        BenchmarkFacts(name=fact.name, domain=fact.domain, metric=fact.metric, most_items=_most_items(fact.name))
        for fact in lined_up.facts
    ]
    math = any(fact.domain == "math" for fact in facts)
    config = CompareConfig() if math else CompareConfig(primary=tuple(benchmarks))
    tables = {key: _scores(key, table) for key, table in lined_up.tables.items()}
    found = compare_tables(tables, facts, names[0], config)
    candidates = []
    for one in sorted(found.candidates, key=lambda one: names.index(one.name)):
        deltas = sorted(one.deltas, key=lambda delta: benchmarks.index(delta.benchmark))
        candidates.append(one.model_copy(update={"deltas": tuple(deltas)}))
    return found.model_copy(update={"candidates": tuple(candidates)})


def _most_items(benchmark: str) -> int | None:
    """Return how many items a benchmark of the registry has; of others nobody knows."""
    return max(REGISTRY[benchmark].items) if benchmark in REGISTRY else None


def _scores(key: Key, table: Table) -> Scores:
    count = len(table.item)
    return Scores(
        benchmark=[key[2]] * count,
        item=table.item,
        cluster=table.cluster,
        prompt=table.prompt,
        correct=np.asarray(table.correct, dtype=np.float64),
        truncated=np.zeros(count),
        bits=np.full(count, np.nan),
        bytes=np.full(count, np.nan),
    )


def _input(side: Side) -> Input:
    return Input(
        arm=side.name,
        paths=tuple(str(reading.path) for reading in side.readings),
        format=side.readings[0].format,
        digest=fingerprint([_digests(reading) for reading in side.readings]),
    )


def _digests(reading: Reading) -> list[list[str]]:
    return [[file.name, input_digest(file)] for file in reading.files]


def _newest(sides: Sequence[Side]) -> str:
    files = [file for side in sides for reading in side.readings for file in reading.files]
    newest = max(file.stat().st_mtime for file in files)
    return datetime.fromtimestamp(newest, UTC).isoformat(timespec="seconds")

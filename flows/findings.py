"""A finished study's record as what the report, the tracker and the command line show of it.

Nothing is measured here: every number comes from a manifest, so a finished study always reads the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.accounts import costs, digests, drops, engines, funnels, setting, shares, trained_tokens, uses
from flows.record import RunRecord, StudyRecord
from flows.spending import costs_per_point
from tasks.compare.artifact import read_comparison
from tasks.core.cards import read_card
from tasks.core.errors import AssayError
from tasks.core.ledgers import Ledger
from tasks.core.results import CandidateResult, Comparison, PowerPlan
from tasks.core.store import ArtifactRef, Store
from tasks.ledger.artifact import read_ledger
from tasks.report.config import Named, ReportData
from tasks.track.config import TrackedArm, TrackedDataset, TrackedStudy


def comparison_of(store: Store, record: StudyRecord) -> Comparison:
    """Return a study's comparison, its candidates and benchmarks in the order that the study declares them."""
    found = read_comparison(store, record.comparison)
    benchmarks = [benchmark.name for benchmark in record.study.benchmarks]
    candidates = []
    for candidate in sorted(found.candidates, key=lambda one: record.study.arms.index(one.name)):
        deltas = tuple(sorted(candidate.deltas, key=lambda delta: benchmarks.index(delta.benchmark)))
        candidates.append(candidate.model_copy(update={"deltas": deltas}))
    return found.model_copy(update={"candidates": tuple(candidates)})


@dataclass(frozen=True)
class Insights:
    """What was looked at once the comparison was there; what is not known is left out of the report.

    Attributes:
        ledgers: what each candidate fixed and broke, by candidate.
        card: the validated set.
        power: what the study could show, as planned.
        device_price: of one device of an anneal for an hour; 0 where none is declared.
        failed: why something of it is missing, by what that is.
    """

    ledgers: Mapping[str, ArtifactRef] = field(default_factory=dict)
    card: ArtifactRef | None = None
    power: PowerPlan | None = None
    device_price: float = 0.0
    failed: Mapping[str, Exception] = field(default_factory=dict)


def report_data(store: Store, record: StudyRecord, insights: Insights = Insights()) -> ReportData:
    """Return everything that the report of a study shows."""
    study, comparison = record.study, comparison_of(store, record)
    return ReportData(
        study=study.name,
        question=study.question,
        setting=tuple(Named(name=name, value=value) for name, value in setting(record)),
        comparison=comparison,
        sources=tuple(uses(store, record)),
        drops=tuple(drops(store, record)),
        card=read_card(store, insights.card) if insights.card else None,
        funnels=tuple(funnels(store, record)),
        ledgers=tuple(_ledgers(store, record, insights)),
        power=insights.power,
        points=tuple(costs_per_point(store, record, comparison.candidates, insights.device_price)),
        costs=tuple(costs(store, record)),
        engines=tuple(Named(name=name, value=value) for name, value in sorted(engines(store, record).items())),
        digests=tuple(digests(record)),
        machine=record.machine,
        study_hash=record.study_hash,
        date=store.manifest(record.comparison).created,
        warnings=tuple(_not_shown(what, error) for what, error in insights.failed.items()),
    )


def _not_shown(what: str, error: Exception) -> str:
    reason = str(error) if isinstance(error, AssayError) else f"{type(error).__name__}: {error}"
    return f"{what[:1].upper()}{what[1:]} is not shown: {' '.join(reason.split())}"


def tracked_study(store: Store, record: StudyRecord, report: ArtifactRef, data: ReportData) -> TrackedStudy:
    """Return everything that the tracker shows of a study: the same numbers as its report."""
    study = record.study
    return TrackedStudy(
        study=study.name,
        study_hash=record.study_hash,
        params=dict(setting(record)),
        arms=tuple(_tracked_arm(store, record, run) for run in record.runs),
        comparison=data.comparison,
        ledgers=data.ledgers,
        points=data.points,
        report=report,
    )


def summary(store: Store, record: StudyRecord, report: ArtifactRef) -> dict[str, Any]:
    """Return what ``assay show --json`` prints: a promise to scripts, kept by a golden test.

    ``filters`` is there where the study asks what its recipes' filters are worth.
    """
    comparison = comparison_of(store, record)
    shown: dict[str, Any] = {
        "study": record.study.name,
        "report": str(store.folder(report) / "report.html"),
        "candidates": [_candidate(store, record, one) for one in comparison.candidates],
        "warnings": list(comparison.warnings),
    }
    if comparison.filters:
        shown["filters"] = [one.model_dump(mode="json") for one in comparison.filters]
    return shown


def _candidate(store: Store, record: StudyRecord, candidate: CandidateResult) -> dict[str, Any]:
    runs = [run for run in record.runs if run.arm == candidate.name]
    seconds = sum(store.manifest(ref).seconds for run in runs for ref in (run.model, *run.scores.values()))
    tokens = sum(trained_tokens(store, run) for run in runs)
    return candidate_for_scripts(candidate) | {"tokens": tokens, "seconds": round(seconds, 1)}


def candidate_for_scripts(candidate: CandidateResult) -> dict[str, Any]:
    """Return a candidate as ``--json`` prints it, but for what it took."""
    fields = ("benchmark", "metric", "role", "delta", "low", "high", "n_items", "n_seeds")
    return {
        "name": candidate.name,
        "verdict": candidate.verdict,
        "sentence": candidate.sentence,
        "more": candidate.more,
        "deltas": [{field: getattr(delta, field) for field in fields} for delta in candidate.deltas],
        "warnings": list(candidate.warnings),
    }


def _ledgers(store: Store, record: StudyRecord, insights: Insights) -> Iterable[Ledger]:
    names = (candidate.name for candidate in record.study.candidates)
    return (read_ledger(store, insights.ledgers[name]) for name in names if name in insights.ledgers)


def _tracked_arm(store: Store, record: StudyRecord, run: RunRecord) -> TrackedArm:
    sources = [share.source for share in shares(store, run)]
    manifest = store.manifest(run.model)
    return TrackedArm(
        arm=run.arm,
        seed=run.seed,
        params={"arm": run.arm, "seed": run.seed, "model": manifest.digest},
        steps=run.model,
        datasets=tuple(
            TrackedDataset(
                name=name,
                digest=record.records[name].digest,
                source=record.records[name].path,
                num_rows=record.records[name].num_rows,
            )
            for name in sources
        ),
        accuracy={name: store.manifest(ref).provenance["accuracy"] for name, ref in run.scores.items()},
        totals={"tokens": trained_tokens(store, run), "seconds": manifest.seconds},
    )

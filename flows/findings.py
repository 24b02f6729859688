"""A finished study's record as what the report, the tracker and the command line show of it.

Nothing is measured here: every number comes from a manifest, so a finished study always reads the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from flows.record import RunRecord, StudyRecord
from tasks.compare.task import read_comparison
from tasks.core.results import CandidateResult, Comparison
from tasks.core.store import ArtifactRef, Store
from tasks.mix.config import SourceShare
from tasks.mix.task import SHARES_FILE
from tasks.report.config import Dropped, Named, ReportData, SourceUse, StageCost
from tasks.track.config import TrackedArm, TrackedDataset, TrackedStudy

_STAGES = ("ingest", "rules", "recipe", "pack", "plan", "anneal", "evaluate", "compare")


def comparison_of(store: Store, record: StudyRecord) -> Comparison:
    """Return a study's comparison, its candidates and benchmarks in the order that the study declares them."""
    found = read_comparison(store, record.comparison)
    benchmarks = [benchmark.name for benchmark in record.study.benchmarks]
    candidates = []
    for candidate in sorted(found.candidates, key=lambda one: record.study.arms.index(one.name)):
        deltas = tuple(sorted(candidate.deltas, key=lambda delta: benchmarks.index(delta.benchmark)))
        candidates.append(candidate.model_copy(update={"deltas": deltas}))
    return found.model_copy(update={"candidates": tuple(candidates)})


def report_data(store: Store, record: StudyRecord) -> ReportData:
    """Return everything that the report of a study shows."""
    study, comparison = record.study, comparison_of(store, record)
    return ReportData(
        study=study.name,
        question=study.question,
        setting=tuple(Named(name=name, value=value) for name, value in _setting(record)),
        comparison=comparison,
        sources=tuple(_uses(store, record)),
        drops=tuple(_drops(store, record)),
        costs=tuple(_costs(store, record)),
        engines=tuple(Named(name=name, value=value) for name, value in sorted(_engines(store, record).items())),
        digests=tuple(_digests(record)),
        machine=record.machine,
        study_hash=record.study_hash,
        date=store.manifest(record.comparison).created,
    )


def tracked_study(store: Store, record: StudyRecord, report: ArtifactRef) -> TrackedStudy:
    """Return everything that the tracker shows of a study."""
    study = record.study
    return TrackedStudy(
        study=study.name,
        study_hash=record.study_hash,
        params=dict(_setting(record)),
        arms=tuple(_tracked_arm(store, record, run) for run in record.runs),
        comparison=comparison_of(store, record),
        report=report,
    )


def summary(store: Store, record: StudyRecord, report: ArtifactRef) -> dict[str, Any]:
    """Return what ``assay show --json`` prints: a promise to scripts, kept by a golden test."""
    return {
        "study": record.study.name,
        "report": str(store.folder(report) / "report.html"),
        "candidates": [_candidate(store, record, one) for one in comparison_of(store, record).candidates],
    }


def _candidate(store: Store, record: StudyRecord, candidate: CandidateResult) -> dict[str, Any]:
    runs = [run for run in record.runs if run.arm == candidate.name]
    fields = ("benchmark", "metric", "delta", "low", "high", "n_items", "n_seeds")
    return {
        "name": candidate.name,
        "verdict": candidate.verdict,
        "deltas": [{field: getattr(delta, field) for field in fields} for delta in candidate.deltas],
        "tokens": sum(_trained_tokens(store, run) for run in runs),
        "seconds": round(
            sum(store.manifest(ref).seconds for run in runs for ref in (run.model, *run.scores.values())), 1
        ),
    }


def _setting(record: StudyRecord) -> list[tuple[str, str]]:
    study, anneal = record.study, record.study.anneal
    base = study.base.path or f"{study.base.hub}@{study.base.revision}"
    return [
        ("base model", base),
        ("stage", study.stage),
        ("candidate weight", f"{study.candidate_weight:.0%} of {study.candidate_unit}"),
        ("budget", f"{study.tokens:,} tokens an anneal, sequences of {anneal.sequence_length}"),
        (
            "optimiser",
            f"AdamW, {anneal.learning_rate:g} {anneal.schedule}, batch {anneal.global_batch}, {anneal.dtype}",
        ),
        ("seeds", ", ".join(map(str, study.seeds))),
    ]


def _shares(store: Store, run: RunRecord) -> list[SourceShare]:
    rows = json.loads((store.folder(run.plan) / SHARES_FILE).read_text(encoding="utf-8"))
    return [SourceShare.model_validate(row) for row in rows]


def _uses(store: Store, record: StudyRecord) -> Iterable[SourceUse]:
    """Yield what each arm was trained on; the first seed speaks for all, since shares are the same in each."""
    for run in record.runs:
        if run.seed == record.study.seeds[0]:
            for share in _shares(store, run):
                yield SourceUse(
                    arm=run.arm,
                    source=share.source,
                    sample_share=share.sample_share,
                    token_share=share.token_share,
                    supervised_share=share.supervised_token_share,
                    epochs=share.epochs,
                    rows=record.records[share.source].num_rows,
                    tokens=share.tokens,
                )


def _drops(store: Store, record: StudyRecord) -> Iterable[Dropped]:
    for stage, refs in (("ingest", record.records), ("pack", record.packs)):
        for source, ref in refs.items():
            for reason, rows in store.manifest(ref).provenance.get("dropped", {}).items():
                yield Dropped(source=source, stage=stage, reason=reason, rows=rows)


def _artifacts(record: StudyRecord) -> list[ArtifactRef]:
    runs = [ref for run in record.runs for ref in (run.plan, run.model, *run.scores.values())]
    unique = {ref.path: ref for ref in (*record.records.values(), *record.packs.values(), *runs, record.comparison)}
    return list(unique.values())


def _costs(store: Store, record: StudyRecord) -> Iterable[StageCost]:
    count, tokens, seconds = Counter[str](), Counter[str](), dict[str, float]()
    for ref in _artifacts(record):
        manifest = store.manifest(ref)
        stage = manifest.identity.stage
        count[stage] += 1
        seconds[stage] = seconds.get(stage, 0.0) + manifest.seconds
        tokens[stage] += int(manifest.provenance.get("tokens", 0))
    for stage in _STAGES:
        if count[stage]:
            yield StageCost(
                stage=stage, artifacts=count[stage], seconds=round(seconds[stage], 1), tokens=tokens[stage] or None
            )


def _engines(store: Store, record: StudyRecord) -> dict[str, str]:
    found: dict[str, str] = {}
    for ref in _artifacts(record):
        found |= {name: str(value) for name, value in store.manifest(ref).provenance.get("engines", {}).items()}
    return found


def _digests(record: StudyRecord) -> Iterable[Named]:
    yield Named(name="base model", value=record.base.digest)
    yield Named(name="tokenizer", value=record.base.tokenizer)
    yield Named(name="chat template", value=record.base.template)
    for name, ref in record.records.items():
        yield Named(name=f"records of {name}", value=ref.digest)
    yield Named(name="comparison", value=record.comparison.digest)


def _trained_tokens(store: Store, run: RunRecord) -> int:
    return int(store.manifest(run.model).provenance["tokens"])


def _tracked_arm(store: Store, record: StudyRecord, run: RunRecord) -> TrackedArm:
    sources = [share.source for share in _shares(store, run)]
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
        totals={"tokens": _trained_tokens(store, run), "seconds": manifest.seconds},
    )

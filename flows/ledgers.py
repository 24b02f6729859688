"""The ledgers of a finished study: for each candidate what it fixed and broke, and what of that lies in its rows.

Nearness needs the texts of the benchmark items and of the rows, overlap a report of it; where a study has none of them,
the ledger is made without.
"""

from __future__ import annotations

from pathlib import Path

from flows.caching import cached
from flows.funnel import funnel
from flows.progress import CountProgress
from flows.record import StudyRecord
from flows.study import CONTROL
from tasks.compare.artifact import read_comparison
from tasks.core.progress import counted
from tasks.core.store import ArtifactRef, Store
from tasks.decontaminate.artifact import EXPOSURES_FOLDER
from tasks.evaluate.config import EvaluateRuntime
from tasks.evaluate.task import item_labels, labels_identity
from tasks.ledger.artifact import identity
from tasks.ledger.config import LedgerConfig, SeedScores, Texts
from tasks.ledger.task import write_ledger
from tasks.retrieve.artifact import nearest_identity
from tasks.retrieve.config import NearestConfig, RetrieveRuntime
from tasks.retrieve.task import nearest

_NEAREST = NearestConfig()


def publish_ledgers(
    store: Store, record: StudyRecord, runtime: RetrieveRuntime, scoring: EvaluateRuntime
) -> dict[str, ArtifactRef]:
    """Publish the ledger of every candidate of a study, and return them by candidate."""
    found = read_comparison(store, record.comparison)
    config = LedgerConfig(primary=tuple(d.benchmark for d in found.candidates[0].deltas if d.role == "primary"))
    labels, ledgers = _labels(store, record, scoring), {}
    names = [one.name for one in record.study.candidates]
    with CountProgress("ledger", record.study.name, len(names), "candidates") as progress:
        for candidate in counted(names, progress):
            scores = scores_of(record, candidate)
            texts = _texts(store, record, candidate, runtime).model_copy(update={"labels": labels})
            write = cached(write_ledger, store, [identity(candidate, config, scores, texts)])
            ledgers[candidate] = write(candidate, config, scores, texts, store.root)
    return ledgers


def scores_of(record: StudyRecord, candidate: str) -> list[SeedScores]:
    """Return the scores of the control and of a candidate, benchmarks and seeds as the study declares them."""
    runs = {(run.arm, run.seed): run.scores for run in record.runs}
    return [
        SeedScores(
            benchmark=benchmark.name,
            seed=seed,
            control=runs[CONTROL, seed][benchmark.name],
            candidate=runs[candidate, seed][benchmark.name],
        )
        for benchmark in record.study.benchmarks
        for seed in record.study.seeds
    ]


def failed_questions(store: Store, records: ArtifactRef) -> ArtifactRef | None:
    """Return the failed questions that a recipe started from (RECORDS), None where it started from others."""
    steps = [step for step in funnel(store, records) if step.stage == "failures"]
    if not steps:
        return None
    manifest = store.manifest(ArtifactRef(path=steps[-1].artifact, digest="", num_rows=0))
    return ArtifactRef(
        path=steps[-1].artifact, digest=manifest.digest, num_rows=manifest.num_rows, columns=manifest.columns
    )


def _labels(store: Store, record: StudyRecord, runtime: EvaluateRuntime) -> ArtifactRef | None:
    if record.items is None:
        return None
    benchmarks = record.study.benchmarks
    look = cached(item_labels, store, [labels_identity(benchmarks, record.items, Path(runtime.data))])
    return look(benchmarks, record.items, runtime, store.root)


def _texts(store: Store, record: StudyRecord, candidate: str, runtime: RetrieveRuntime) -> Texts:
    records, items = record.records[candidate], record.items
    if items is None:
        return Texts(records=records)
    failed = failed_questions(store, records)
    return Texts(
        records=records,
        items=items,
        nearest=_nearest(store, candidate, records, items, runtime),
        failures=_nearest(store, f"{candidate}'s failures", failed, items, runtime) if failed else None,
        exposures=record.overlaps.get(candidate),
        exposures_folder=EXPOSURES_FOLDER,
    )


def _nearest(
    store: Store, name: str, records: ArtifactRef, items: ArtifactRef, runtime: RetrieveRuntime
) -> ArtifactRef:
    look = cached(nearest, store, [nearest_identity(_NEAREST, records, items)])
    with CountProgress("nearest", name, records.num_rows) as progress:
        return look(name, _NEAREST, records, items, store.root, runtime, report=progress)

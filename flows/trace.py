"""One row's whole way, told from the manifests and tables of a store alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.record import RunRecord, StudyRecord, latest, names, read_record
from tasks.compare.artifact import read_comparison
from tasks.core.errors import DataError
from tasks.core.identity import Frozen
from tasks.core.rows import shards
from tasks.core.store import ArtifactRef, Manifest, Store
from tasks.retrieve.config import STAGE as RETRIEVE
from tasks.retrieve.dataset import MATCHES_FOLDER

#: What the rows of a stage tell of one row, from these of its columns; in the order in which a row passes them.
_TOLD: dict[str, tuple[tuple[str, ...], str]] = {
    "ingest": (("source", "origin"), "read into {source} from {origin}"),
    "rules": (("source", "origin"), "read into {source} from {origin}"),
    "problems": (("source", "origin"), "written by a model for {source}, from {origin}"),
    "retrieve": (("source",), "retrieved from {source}"),
    "dedup": (("source",), "kept as the one of its kind"),
    "decontaminate": (("source",), "clear of the benchmarks"),
    "generate": (
        ("sample", "finish", "output_tokens"),
        "sample {sample}: {output_tokens} tokens ({finish})",
    ),
    "judge": (
        ("sample", "verdict", "method", "answer"),
        "sample {sample}: {verdict}, by {method}: {answer}",
    ),
    "keep": (("source",), "kept with its answer"),
    "failures": (("source",), "a weakness: the model fails it"),
    "overlap": (("benchmark", "item", "ratio"), "holds {ratio:.2f} of {benchmark}'s {item}"),
}

_OF_MATCHES = ["query", "score", "rank"]
_SHOWN = 3


class Event(Frozen):
    """One thing that happened to a row: at which stage, in which artifact, and what."""

    stage: str
    artifact: str
    what: str


def trace(store: Store, row_id: str) -> list[Event]:
    """Return what happened to a row, from where it was read to the verdicts that it had a part in.

    Raises:
        DataError: if no artifact of the store knows the row.
    """
    read = [event for stage in _TOLD for event in _passed(store, stage, row_id)]
    packed = list(_packed(store, row_id))
    events = [*read, *(event for event, _, _ in packed)]
    if not events:
        raise DataError(
            f"no row {row_id!r} in {store.root}",
            remedy="give the whole row id as the records have it, and name its store with --store; a row that `ingest` "
            "dropped never had one: its file, line and reason are in the artifact's dropped/",
        )
    records = [read_record(store, latest(store, name).record) for name in names(store)]
    for record in records:
        for _, pack, sequences in packed:
            events += _trained(store, record, pack, sequences)
    return events


def _passed(store: Store, stage: str, row_id: str) -> Iterator[Event]:
    """Yield what the artifacts of a stage tell of a row that they hold, or that they dropped."""
    columns, told = _TOLD[stage]
    for ref, _ in store.manifests(stage):
        folder = store.folder(ref)
        for row in _matches(folder, "row_id", row_id, list(columns)):
            yield Event(stage=stage, artifact=ref.path, what=told.format(**row))
        if stage == RETRIEVE and (found := list(_matches(folder / MATCHES_FOLDER, "row_id", row_id, _OF_MATCHES))):
            yield Event(stage=stage, artifact=ref.path, what=_matched(found))
        for row in _matches(folder / "dropped", "row_id", row_id, ["origin", "reason", "detail"]):
            what = f"left out: {row['reason']} ({row['detail']})".removesuffix(" ()")
            yield Event(stage=stage, artifact=ref.path, what=what)


def _matched(found: list[dict[str, Any]]) -> str:
    """Say which queries a row matched, the best first."""
    best = ", ".join("{query} (rank {rank}, score {score:.4f})".format(**match) for match in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"matched {len(found)} {'query' if len(found) == 1 else 'queries'}: {best}{more}"


def _packed(store: Store, row_id: str) -> Iterator[tuple[Event, ArtifactRef, list[int]]]:
    for ref, manifest in store.manifests("pack"):
        folder = store.folder(ref)
        for row in _matches(folder / "dropped", "row_id", row_id, ["source", "reason", "detail"]):
            what = f"left out of the pack of {row['source']}: {row['reason']} ({row['detail']})"
            yield Event(stage="pack", artifact=ref.path, what=what), ref, []
        if sequences := _sequences(folder, row_id):
            yield Event(stage="pack", artifact=ref.path, what=_packed_into(manifest, sequences)), ref, sequences


def _packed_into(manifest: Manifest, sequences: list[int]) -> str:
    return f"packed into {_numbered('sequence', sequences)} of {manifest.provenance['source']}"


def _sequences(folder: Path, row_id: str) -> list[int]:
    """Return which sequences of a pack hold a row, by their number over all shards."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found, start = list[int](), 0
    for path in shards(folder):
        row_ids = pq.read_table(path, columns=["row_ids"]).column("row_ids").combine_chunks()
        hits = pc.filter(pc.list_parent_indices(row_ids), pc.equal(pc.list_flatten(row_ids), row_id))
        found += [start + index for index in pc.unique(hits).to_pylist()]
        start += len(row_ids)
    return found


def _trained(store: Store, record: StudyRecord, pack: ArtifactRef, sequences: list[int]) -> Iterator[Event]:
    source = next((name for name, ref in record.packs.items() if ref.path == pack.path), None)
    if source is None or not sequences:
        return
    for run in record.runs:
        positions = _positions(store.folder(run.plan), source, sequences)
        if positions:
            yield Event(
                stage="anneal",
                artifact=run.model.path,
                what=f"trained on in {record.study.name}, {run.arm}/seed-{run.seed}, at "
                f"{_numbered('step', sorted({p // record.study.anneal.global_batch + 1 for p in positions}))}",
            )
            yield from _scored(store, run)
    for candidate in read_comparison(store, record.comparison).candidates:
        if candidate.name == source:
            what = f"{record.study.name}: {candidate.name} {candidate.verdict}. {candidate.sentence}"
            yield Event(stage="compare", artifact=record.comparison.path, what=what)


def _scored(store: Store, run: RunRecord) -> Iterator[Event]:
    for benchmark, ref in run.scores.items():
        accuracy = store.manifest(ref).provenance["accuracy"]
        yield Event(stage="evaluate", artifact=ref.path, what=f"{benchmark}: {accuracy:.2f} %")


def _positions(folder: Path, source: str, sequences: list[int]) -> list[int]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pc.field("source").isin([source]) & pc.field("sequence").isin(sequences)
    return [p for path in shards(folder) for p in pq.read_table(path, filters=wanted).column("position").to_pylist()]


def _matches(folder: Path, column: str, value: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in shards(folder):
        yield from pq.read_table(path, columns=columns, filters=pc.field(column) == value).to_pylist()


def _numbered(noun: str, numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:8])) + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")
    return f"{noun}{'s' if len(numbers) > 1 else ''} {shown}"

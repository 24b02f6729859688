"""The ingest task: a source in, its records and its dropped rows out."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from prefect import task

from tasks.core.progress import Report, counted
from tasks.core.retries import RETRIES
from tasks.core.rows import DROPS, RECORDS, RowWriter
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.ingest.config import SourceConfig
from tasks.ingest.shapes import UnusableRow, to_record
from tasks.ingest.source import check_dropped, columns_of, identity, raw_rows


@task(name="ingest", task_run_name="ingest {source.name}", **RETRIES)
def ingest(source: SourceConfig, store_root: Path, *, report: Report | None = None) -> ArtifactRef:
    """Publish the records of a source (RECORDS), with what was left out and why under ``dropped/`` (DROPS).

    Raises:
        DataError: if the source cannot be read, or more than its declared share of rows is unusable; the dropped rows
            are then left where the message says.
        InfrastructureError: if the hub cannot be reached, after two more tries.
    """
    return Store(store_root).produce(identity(source), lambda draft: write_records(source, draft, report))


def write_records(source: SourceConfig, draft: Draft, report: Report | None = None) -> None:
    """Write a source's records and dropped rows into `draft`, one row in memory at a time; `report` takes the count."""
    columns, reasons = columns_of(source), Counter[str]()
    aside = draft.scratch / "dropped"  # kept when the source is refused, so that a person can look
    shutil.rmtree(aside, ignore_errors=True)
    with RowWriter(draft.folder, RECORDS) as kept, RowWriter(aside, DROPS) as dropped:
        for raw in counted(raw_rows(source), report):
            try:
                kept.write(to_record(raw, source.name, columns))
            except UnusableRow as problem:
                reasons[problem.reason] += 1
                row = {"source": source.name, "origin": raw.origin, "reason": problem.reason, "detail": problem.detail}
                dropped.write({"row_id": None, **row})
    check_dropped(source, kept.count, reasons, aside)
    shutil.move(aside, draft.folder / "dropped")
    draft.num_rows, draft.num_dropped, draft.columns = kept.count, dropped.count, RECORDS
    draft.provenance = {"dropped": dict(reasons), "source": source.model_dump(mode="json")}

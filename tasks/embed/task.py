"""The embed task: a table of questions or records in, a vector for each of its rows out."""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from prefect import task

from tasks.core.asked import asked
from tasks.core.errors import DataError
from tasks.core.progress import Report
from tasks.core.retries import RETRIES
from tasks.core.rows import DROPS, RowWriter, read_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.core.vectors import VECTORS
from tasks.embed import chunks
from tasks.embed.artifact import embed_identity
from tasks.embed.config import EmbedConfig, EmbedRuntime
from tasks.embed.encoder_files import EncoderFiles, find_encoder
from tasks.embed.engine import Encoder


@task(name="embed", task_run_name="embed {name}", **RETRIES)
def embed(
    name: str,
    config: EmbedConfig,
    rows: ArtifactRef,
    store_root: Path,
    runtime: EmbedRuntime | None = None,
    *,
    report: Report | None = None,
) -> ArtifactRef:
    """Publish a vector of length one for what each row of `rows` (QUESTIONS or RECORDS) asks; see `tasks.core.vectors`.

    Rows that ask nothing are named under ``dropped/`` (DROPS). After a kill, shards that were committed are taken as
    they are.

    Raises:
        StudyError: if the encoder is not on this machine, or not what the config says.
        DataError: if the table is empty.
        EngineError: if the encoder cannot be loaded or fails.
        InfrastructureError: if a process of it died, after two more tries.
    """
    store, files = Store(store_root), find_encoder(config)

    def build(draft: Draft) -> None:
        from tasks.embed.sentence_transformers import open_encoder

        with open_encoder(files.folder, config, runtime or EmbedRuntime()) as encoder:
            started = time.monotonic()
            write_vectors(store.folder(rows), config, encoder, draft, report)
            draft.provenance |= {"seconds": round(time.monotonic() - started, 3), "devices": encoder.devices}
        draft.sources = {"rows": rows.path}
        draft.provenance |= _provenance(name, config, files)

    return store.produce(embed_identity(config, rows, files.digest), build)


def write_vectors(
    table: Path, config: EmbedConfig, encoder: Encoder, draft: Draft, report: Report | None = None
) -> None:
    """Write the vectors of a table into `draft`, one shard of texts and vectors in memory at a time.

    `report` takes how many there are after each shard.
    """
    texts = (text for row in read_rows(table) if (text := asked(row)).strip())
    made = _embed_chunks(texts, config, encoder, draft.scratch, report)
    if not made:
        raise DataError("there is nothing to embed: no row of the table has text", remedy="look at what made the table")
    chunks.gather(draft.scratch, len(made), draft.folder)
    _write_ids(table, draft)
    draft.provenance["shards"] = {"embedded": sum(made), "resumed": len(made) - sum(made)}


def _write_ids(table: Path, draft: Draft) -> None:
    with RowWriter(draft.folder, VECTORS) as kept, RowWriter(draft.folder / "dropped", DROPS) as dropped:
        for row in read_rows(table):
            if asked(row).strip():
                kept.write({"row_id": row["row_id"]})
            else:
                named = {column: row[column] for column in ("row_id", "source", "origin")}
                dropped.write({**named, "reason": "no text", "detail": "nothing was asked"})
    draft.num_rows, draft.num_dropped, draft.columns = kept.count, dropped.count, VECTORS
    draft.provenance["dropped"] = {"no text": dropped.count}


def _embed_chunks(
    texts: Iterable[str], config: EmbedConfig, encoder: Encoder, scratch: Path, report: Report | None
) -> list[bool]:
    """Commit every chunk that is not yet committed; return for each whether it was embedded now."""
    made, done = list[bool](), 0
    for number, chunk in chunks.chunked(texts, config.shard_rows):
        made.append(not chunks.is_committed(scratch, number, len(chunk)))
        if made[-1]:
            chunks.commit(scratch, number, encoder.encode(chunk).astype(config.stored))
        done += len(chunk)
        if report is not None:
            report(done)
    return made


def _provenance(name: str, config: EmbedConfig, files: EncoderFiles) -> dict[str, object]:
    return {
        "name": name,
        "encoder": {"model": config.path or config.hub, "digest": files.digest},
        "engines": {engine: version(engine) for engine in ("sentence-transformers", "transformers", "torch")},
    }

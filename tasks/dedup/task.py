"""The dedup task: records in, the ones that are kept and the ones that repeat them out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from prefect import task

from tasks.core.errors import DataError
from tasks.core.identity import Identity
from tasks.core.rows import DROPS, RECORDS, RowWriter, read_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.dedup.clusters import clusters
from tasks.dedup.config import STAGE_VERSION, DedupConfig
from tasks.dedup.kept import kept_rows
from tasks.dedup.key import key_text
from tasks.dedup.rensa import RensaMinHasher
from tasks.dedup.sets import Indices, ShingleSets, shingle_sets


def identity(config: DedupConfig, records: Sequence[ArtifactRef]) -> Identity:
    """Return what a deduplication is: its rule and the digests of its records, in order."""
    return Identity.of(
        "dedup", STAGE_VERSION, config, {f"records-{n:05d}": ref.digest for n, ref in enumerate(records)}
    )


@task(name="dedup", task_run_name="dedup {name}")
def dedup(name: str, config: DedupConfig, records: Sequence[ArtifactRef], store_root: Path) -> ArtifactRef:
    """Publish one row of every cluster of near-duplicates (RECORDS), the others under ``dropped/`` (DROPS).

    Which rows are kept depends on the rows and `config` alone: not on their order, nor on how they are cut into
    artifacts and shards. They are published in the order they came in.

    Args:
        name: what is deduplicated, for people.
        records: artifacts of RECORDS, deduplicated together.

    Raises:
        DataError: if there is not one row.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        write_kept(name, config, [store.folder(ref) for ref in records], draft)
        draft.sources = {f"records-{n:05d}": ref.path for n, ref in enumerate(records)}

    return store.produce(identity(config, records), build)


def write_kept(name: str, config: DedupConfig, folders: Sequence[Path], draft: Draft) -> None:
    """Write the kept and the dropped rows of some tables of RECORDS into `draft`, one row in memory at a time."""
    sources, row_ids = list[str](), list[str]()

    def texts() -> Iterator[str]:
        for row in _rows(folders):
            sources.append(sys.intern(row["source"]))
            row_ids.append(row["row_id"])
            yield key_text(row, config.key)

    hasher = RensaMinHasher(config.permutations, config.seed)
    sets = shingle_sets(texts(), config, hasher, draft.scratch / "shingles.u64")
    if not row_ids:
        raise DataError(f"{name}: there is no row to deduplicate", remedy="look at what made its records")
    of_row = clusters(sets, config.threshold)[sets.of_row]
    kept = kept_rows(of_row, sources, row_ids, config.priority)
    _write(folders, kept, row_ids, sets, config, draft)
    draft.provenance = {
        "dropped": {"duplicate": draft.num_dropped},
        "largest_cluster": int(np.unique(of_row, return_counts=True)[1].max()),
        "engines": {"rensa": version("rensa")},
    }


def _write(
    folders: Sequence[Path], kept: Indices, row_ids: list[str], sets: ShingleSets, config: DedupConfig, draft: Draft
) -> None:
    with RowWriter(draft.folder, RECORDS) as keep, RowWriter(draft.folder / "dropped", DROPS) as drop:
        for number, row in enumerate(_rows(folders)):
            if (instead := int(kept[number])) == number:
                keep.write(row)
                continue
            similarity = sets.jaccard(int(sets.of_row[number]), int(sets.of_row[instead]))
            between = "" if similarity >= config.threshold else ", through rows between them"
            detail = f"of {row_ids[instead]}, Jaccard {similarity:.3f}{between}"
            origin = {"row_id": row["row_id"], "source": row["source"], "origin": row["origin"]}
            drop.write(origin | {"reason": "duplicate", "detail": detail})
    draft.num_rows, draft.num_dropped, draft.columns = keep.count, drop.count, RECORDS


def _rows(folders: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for folder in folders:
        yield from read_rows(folder, RECORDS)

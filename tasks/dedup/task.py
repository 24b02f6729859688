"""The dedup tasks: records in, the ones that are kept and the ones that repeat them out.

`find_duplicates` drops nothing: it says which rows repeat another one.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from prefect import task

from tasks.core.errors import DataError
from tasks.core.progress import Report, counted
from tasks.core.rows import DROPS, DUPLICATES, RECORDS, RowWriter, read_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.dedup.artifact import duplicates_identity, identity
from tasks.dedup.clusters import clusters
from tasks.dedup.config import DedupConfig
from tasks.dedup.kept import kept_rows
from tasks.dedup.key import key_text
from tasks.dedup.rensa import RensaMinHasher
from tasks.dedup.sets import Indices, ShingleSets, shingle_sets


@task(name="dedup", task_run_name="dedup {name}")
def dedup(
    name: str,
    config: DedupConfig,
    records: Sequence[ArtifactRef],
    store_root: Path,
    *,
    report: Report | None = None,
) -> ArtifactRef:
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
        write_kept(name, config, [store.folder(ref) for ref in records], draft, report)
        draft.sources = {f"records-{n:05d}": ref.path for n, ref in enumerate(records)}

    return store.produce(identity(config, records), build)


def write_kept(
    name: str, config: DedupConfig, folders: Sequence[Path], draft: Draft, report: Report | None = None
) -> None:
    """Write the kept and the dropped rows of some tables of RECORDS into `draft`, one row in memory at a time."""
    found = _clustered(name, config, folders, draft.scratch, report)
    _write(folders, found.kept, found.row_ids, found.sets, config, draft)
    draft.provenance = {
        "dropped": {"duplicate": draft.num_dropped},
        "largest_cluster": int(np.unique(found.of_row, return_counts=True)[1].max()),
        "engines": {"rensa": version("rensa")},
    }


@task(name="duplicates", task_run_name="duplicates in {name}")
def find_duplicates(
    name: str,
    config: DedupConfig,
    records: Sequence[ArtifactRef],
    store_root: Path,
    *,
    report: Report | None = None,
) -> ArtifactRef:
    """Publish which rows repeat another one (DUPLICATES), by the rule of `dedup`. Nothing is dropped.

    The manifest counts them by table, in their order: of the ``same`` words, or ``near``.

    Args:
        name: what is looked at, for people.
        records: artifacts of RECORDS, looked at together.

    Raises:
        DataError: if there is not one row.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        write_duplicates(name, config, [store.folder(ref) for ref in records], draft, report)
        draft.sources = {f"records-{n:05d}": ref.path for n, ref in enumerate(records)}

    return store.produce(duplicates_identity(config, records), build)


def write_duplicates(
    name: str, config: DedupConfig, folders: Sequence[Path], draft: Draft, report: Report | None = None
) -> None:
    """Write the rows that repeat another one into `draft`, and count them by table."""
    found = _clustered(name, config, folders, draft.scratch, report)
    counts = [Counter[str](same=0, near=0) for _ in folders]
    with RowWriter(draft.folder, DUPLICATES) as writer:
        for row in np.flatnonzero(found.kept != np.arange(len(found.kept))).tolist():
            instead = int(found.kept[row])
            ours, theirs = int(found.sets.of_row[row]), int(found.sets.of_row[instead])
            counts[found.tables[row]]["same" if ours == theirs else "near"] += 1
            writer.write(
                {
                    "row_id": found.row_ids[row],
                    "source": found.sources[row],
                    "of": found.row_ids[instead],
                    "same": ours == theirs,
                    "similarity": found.sets.jaccard(ours, theirs),
                }
            )
    draft.num_rows, draft.columns = writer.count, DUPLICATES
    draft.provenance = {
        "rows": len(found.row_ids),
        "by_table": [dict(count) for count in counts],
        "engines": {"rensa": version("rensa")},
    }


@dataclass(frozen=True)
class _Clustered:
    """The rows of some tables, end to end, with the row that stands for each and the sets that they have.

    Attributes:
        tables: the place of each row's table.
        of_row: the cluster of each row; `kept` the row that is kept in its place, itself where it is the one.
    """

    tables: array[int]
    sources: list[str]
    row_ids: list[str]
    sets: ShingleSets
    of_row: Indices
    kept: Indices


def _clustered(
    name: str, config: DedupConfig, folders: Sequence[Path], scratch: Path, report: Report | None
) -> _Clustered:
    tables, sources, row_ids = array("l"), list[str](), list[str]()

    def texts() -> Iterator[str]:
        for number, folder in enumerate(folders):
            for row in _rows([folder]):
                tables.append(number)
                sources.append(sys.intern(row["source"]))
                row_ids.append(row["row_id"])
                yield key_text(row, config.key)

    hasher = RensaMinHasher(config.permutations, config.seed)
    sets = shingle_sets(counted(texts(), report), config, hasher, scratch / "shingles.u64")
    if not row_ids:
        raise DataError(f"{name}: there is no row to deduplicate", remedy="look at what made its records")
    of_row = clusters(sets, config.threshold)[sets.of_row]
    return _Clustered(tables, sources, row_ids, sets, of_row, kept_rows(of_row, sources, row_ids, config.priority))


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

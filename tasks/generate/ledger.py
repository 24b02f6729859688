"""The ledger of committed shards, in the scratch folder of the artifact in the making.

::

    shards/000012.parquet       a committed shard's answers (ANSWERS), by position
    shards/000012.json          its manifest, written last: no manifest, not committed
    attempts/<run>/...          what engines read and write; nothing in it counts, and every run starts without it

A shard is committed by rename, its bytes synced before and its manifest after. What a kill leaves torn, or a disk
alters, fails its count or its SHA-256 and is asked again. A committed shard is never written again.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tasks.core.digests import file_digest
from tasks.core.disk import full_disk_named
from tasks.core.errors import IntegrityError
from tasks.core.identity import Frozen
from tasks.core.rows import Columns, arrow_schema
from tasks.core.store import write_json
from tasks.generate.engine import ANSWERS, Answered, Attempt, Meters
from tasks.generate.merge import merged
from tasks.generate.shards import WINDOW, Row, Shard

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of one file in memory at a time, as a window's files are merged.
_BATCH = 64


class Committed(Frozen):
    """The manifest of a committed shard."""

    shard: int
    rows: int
    sha256: str
    meters: dict[str, int | float]
    losses: int
    engines: dict[str, str]

    def meter(self) -> Meters:
        """Return what answering it took."""
        return Meters(**self.meters)  # type: ignore[arg-type]


class Ledger:
    """The shards of one artifact that are committed. Opening it checks each one and drops what is torn."""

    def __init__(self, scratch: Path) -> None:
        # A folder a run: what an engine of a run that was killed still writes has no name in common with this one's.
        self._shards, self._attempts = scratch / "shards", scratch / "attempts" / uuid.uuid4().hex
        shutil.rmtree(self._attempts.parent, ignore_errors=True)
        for folder in (self._shards, self._attempts):
            folder.mkdir(parents=True, exist_ok=True)
        self._tries = 0
        self._committed = {found.shard: found for found in self._whole()}

    def __contains__(self, shard: Shard) -> bool:
        return shard.number in self._committed

    @property
    def committed(self) -> list[Committed]:
        """The committed shards, in order."""
        return [self._committed[number] for number in sorted(self._committed)]

    @property
    def meters(self) -> Meters:
        """What all committed shards took."""
        return sum((shard.meter() for shard in self._committed.values()), Meters())

    def attempt(self, shard: int, rows: pa.Table, *, losses: int = 0) -> Attempt:
        """Return a new attempt at rows (ASKED) of a shard, its requests written; no later run reads them."""
        self._tries += 1
        name = f"{shard:06d}-{self._tries:06d}"
        requests = self._attempts / f"{name}.requests.parquet"
        _write(requests, rows)
        return Attempt(shard, requests, self._attempts / f"{name}.answers.parquet", rows.num_rows, losses)

    def one_by_one(self, attempt: Attempt, *, losses: int) -> list[Attempt]:
        """Return an attempt at each row of `attempt` alone."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(attempt.requests) as table:
            rows = table.read()
        return [self.attempt(attempt.shard, rows.slice(row, 1), losses=losses) for row in range(rows.num_rows)]

    def renew(self, attempt: Attempt) -> Attempt:
        """Return another attempt at the same rows, with a file of its own for the answers."""
        self._tries += 1
        return replace(attempt, answers=self._attempts / f"{attempt.shard:06d}-{self._tries:06d}.answers.parquet")

    def commit(self, answered: Answered, engines: dict[str, str]) -> None:
        """Commit the answers of a whole shard; `engines` are the versions of what answered.

        Raises:
            IntegrityError: if they are not what the engine said it wrote.
        """
        attempt = answered.attempt
        if not attempt.answers.exists() or file_digest(attempt.answers) != answered.sha256:
            raise IntegrityError(
                f"{attempt.answers} is not what the engine wrote",
                remedy="let the store lie where every node sees the same files at once, and run again",
            )
        table = self._table(attempt.shard)
        attempt.answers.rename(table)
        found = Committed(
            shard=attempt.shard, rows=attempt.rows, sha256=answered.sha256, meters=asdict(answered.meters),
            losses=attempt.losses, engines=engines,
        )  # fmt: skip
        write_json(table.with_suffix(".json"), found.model_dump())
        self._committed[attempt.shard] = found
        attempt.requests.unlink(missing_ok=True)

    def merge(self, parts: Sequence[Answered], losses: int) -> Answered:
        """Return the answers of a shard whose rows were asked one by one, as one."""
        answers = [row for part in parts for row in read_table(part.attempt.answers)]
        answers.sort(key=lambda row: int(row["position"]))
        whole = replace(self.renew(parts[0].attempt), rows=len(answers), losses=losses)
        sha256 = write_table(whole.answers, answers, ANSWERS)
        return Answered(whole, sha256, sum((part.meters for part in parts), Meters()))

    def answers(self) -> Iterator[pa.Table]:
        """Yield the answers of all committed shards (ANSWERS) in the order of the requests, in flat memory."""
        for first in range(0, len(self._committed), WINDOW):
            window = range(first, min(first + WINDOW, len(self._committed)))
            yield from merged([self._table(number) for number in window], _BATCH)

    def _table(self, number: int) -> Path:
        return self._shards / f"{number:06d}.parquet"

    def _whole(self) -> Iterator[Committed]:
        """Yield the manifests of whole shards, and remove all else."""
        kept = set()
        for path in sorted(self._shards.glob("*.json")):
            table = path.with_suffix(".parquet")
            if (found := _read_manifest(path)) and _holds(table, found):
                kept |= {path, table}
                yield found
        for path in set(self._shards.iterdir()) - kept:
            path.unlink()


def _read_manifest(path: Path) -> Committed | None:
    try:
        return Committed.model_validate_json(path.read_text())
    except (ValidationError, UnicodeDecodeError):
        return None  # torn: asked again


def _holds(table: Path, manifest: Committed) -> bool:
    """Say whether a shard is what its manifest says."""
    import pyarrow.parquet as pq

    if not table.exists() or file_digest(table) != manifest.sha256:
        return False
    return bool(pq.read_metadata(table).num_rows == manifest.rows)


def write_table(path: Path, rows: Iterable[Row], columns: Columns) -> str:
    """Write rows as one Parquet file, synced to the disk; return its SHA-256.

    Raises:
        OutageError: if the disk is full. An engine that dies of that has nothing wrong with it or with its rows.
    """
    import pyarrow as pa

    _write(path, pa.Table.from_pylist(list(rows), schema=arrow_schema(columns)))
    with full_disk_named(path.parent), path.open("rb+") as file:
        os.fsync(file.fileno())
    return file_digest(path)


def _write(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    # Of row groups this small, dictionaries and statistics would take longer than all else, and nobody reads them.
    plain = {"use_dictionary": False, "write_statistics": False}
    with full_disk_named(path.parent):
        pq.write_table(table, path, compression="zstd", row_group_size=_BATCH, **plain)


def read_table(path: Path) -> Iterator[Row]:
    """Yield the rows of one Parquet file, a few in memory at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as table:
        for batch in table.iter_batches(batch_size=_BATCH):
            yield from batch.to_pylist()

"""A mapping that is larger than memory: keys to JSON values, in an SQLite file without journal or sync."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

Key = tuple[str, int]


class DiskMap:
    """Maps (row id, sample) to values; a context manager, whose file is gone at its end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> DiskMap:
        self._path.unlink(missing_ok=True)
        self._table = sqlite3.connect(self._path)
        self._table.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE map (row_id TEXT, sample INT, value TEXT, PRIMARY KEY (row_id, sample)) WITHOUT ROWID;"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table.close()
        self._path.unlink(missing_ok=True)

    def put(self, items: Iterable[tuple[Key, Any]]) -> None:
        """Take items; the last value of a key stays."""
        rows = ((*key, json.dumps(value)) for key, value in items)
        self._table.executemany("INSERT OR REPLACE INTO map VALUES (?, ?, ?)", rows)

    def get(self, row_id: str, sample: int) -> Any:
        """Return the value of a key, or None where it is not there."""
        found = self._table.execute(
            "SELECT value FROM map WHERE row_id = ? AND sample = ?", (row_id, sample)
        ).fetchone()
        return json.loads(found[0]) if found else None

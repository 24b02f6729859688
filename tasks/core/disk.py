"""A full disk, named as what it is wherever it is met: in a system call, in Parquet's writer or in SQLite."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import OutageError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Do something that writes under `folder`.

    Raises:
        OutageError: if the disk, or the user's share of it, is full.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        if not _is_full(error):
            raise
        raise OutageError(
            f"{folder}: the disk is full: {error}",
            remedy="free space and run the same command again: what is done is kept",
        ) from error


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL

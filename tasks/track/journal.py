"""The journal: an append-only file of what a study has to show, one JSON object a line. It is the truth; a tracker is
a view of it.

A line is written when its newline is on the disk (fsync). A kill can only leave a tail without a newline, which was
never acknowledged: readers skip it, the next writer cuts it off and writes the entry again. Each line carries the
digest of its content, so damage of any other kind is found, and the same content is never written twice. One writer at
a time holds the file's lock; the kernel lets go of it when the writer dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import Field, ValidationError

from tasks.core.errors import IntegrityError
from tasks.core.identity import Frozen, fingerprint

Kind = Literal["run", "params", "metrics", "dataset", "table", "artifact"]


class Entry(Frozen):
    """One thing that a run has to show.

    Attributes:
        kind: ``run`` opens a run (and closes it: a study is journalled when it is done), the others add to it.
        run: the run's key, the same in every journal line and in the tracker.
        body: what is shown; its fields depend on the kind, see `entries`.
        time: when it was first written, milliseconds since 1970. No part of what it says.
    """

    kind: Kind
    run: str
    body: dict[str, Any]
    time: int = Field(default=0, ge=0)

    @property
    def digest(self) -> str:
        """The digest of what it says, 64 hex digits."""
        return fingerprint([self.kind, self.run, self.body])


class Journal:
    """One journal file. Opening it does no I/O."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entries: Iterable[Entry]) -> int:
        """Write the entries that are not in the journal yet, in order, and return how many those were.

        They are on the disk when it returns.

        Raises:
            IntegrityError: if a line that was written whole is damaged.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            known = {entry.digest for entry in self._read(file)}
            file.truncate(_whole(file))
            fresh: dict[str, Entry] = {}
            for entry in entries:
                if (digest := entry.digest) not in known:
                    fresh.setdefault(digest, entry)
            now = time.time_ns() // 1_000_000
            for digest, entry in fresh.items():
                file.write(_line(digest, entry.model_copy(update={"time": entry.time or now})))
            file.flush()
            os.fsync(file.fileno())
        return len(fresh)

    def entries(self) -> list[Entry]:
        """Return all entries, oldest first; a torn tail is left out.

        Raises:
            IntegrityError: if a line that was written whole is damaged.
        """
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            return self._read(file)

    def _read(self, file: IO[bytes]) -> list[Entry]:
        file.seek(0)
        lines = file.read().split(b"\n")[:-1]  # what follows the last newline is torn, or nothing
        return [self._parse(number, line) for number, line in enumerate(lines, start=1)]

    def _parse(self, number: int, line: bytes) -> Entry:
        remedy = f"move {self.path} aside and run the study again: it is written anew from the store"
        try:
            raw = json.loads(line)
            digest = raw.pop("digest")
            entry = Entry.model_validate(raw)
        except (ValueError, ValidationError, AttributeError, KeyError, TypeError) as error:
            raise IntegrityError(f"{self.path}:{number} is damaged: {error}", remedy=remedy) from error
        if entry.digest != digest:
            raise IntegrityError(f"{self.path}:{number} is damaged: it does not match its digest", remedy=remedy)
        return entry


def _whole(file: IO[bytes]) -> int:
    """Return how many bytes of the file are whole lines."""
    file.seek(0)
    return file.read().rfind(b"\n") + 1


def _line(digest: str, entry: Entry) -> bytes:
    text = json.dumps({"digest": digest, **entry.model_dump(mode="json")}, allow_nan=False)
    return text.encode() + b"\n"

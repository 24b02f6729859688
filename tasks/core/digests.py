"""Digests of input files, those of large ones remembered, so that a finished study is not slow to say that it is.

What is remembered is keyed by all that changes when a file does: device, inode, size, and the times of its last write
and last change (the latter cannot be set by hand). It lies in the user's cache folder and may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

_REMEMBERED_BYTES = 16 << 20
#: A file written so recently could be written again within the resolution of its file system's clock.
_SETTLED_SECONDS = 5.0


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def input_digest(path: Path, memory: Path | None = None) -> str:
    """Return `file_digest` of a file that others wrote, without reading it again where it is large and unchanged.

    `memory` is the folder of what is remembered, ``~/.cache/assay/digests`` by default; where it cannot be written,
    nothing is remembered.
    """
    before = path.stat()
    if before.st_size < _REMEMBERED_BYTES:
        return file_digest(path)
    memory = memory or Path.home() / ".cache" / "assay" / "digests"
    note = memory / f"{before.st_dev}-{before.st_ino}.json"
    seen = [before.st_size, before.st_mtime_ns, before.st_ctime_ns]
    if (remembered := _read(note)) and remembered["seen"] == seen:
        return str(remembered["sha256"])
    digest = file_digest(path)
    after = path.stat()
    settled = time.time() - after.st_ctime > _SETTLED_SECONDS
    if settled and seen == [after.st_size, after.st_mtime_ns, after.st_ctime_ns] and _writable(memory):
        temporary = note.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps({"seen": seen, "sha256": digest}), encoding="utf-8")
        temporary.rename(note)
    return digest


def _read(note: Path) -> dict[str, object] | None:
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # never seen, or torn: the file is read
    return found if isinstance(found, dict) and {"seen", "sha256"} <= found.keys() else None


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)

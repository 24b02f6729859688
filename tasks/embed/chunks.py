"""Chunks of vectors that survive a kill: committed one by one, found again, never embedded twice.

A chunk is committed by its manifest, ``chunk-00000.json`` with count and sha256, which is written last, by rename, as
the vectors are before it. A chunk without a manifest, or whose bytes are not what its manifest says, is embedded again.
The folder belongs to one identity, so chunk *n* is always of the same rows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.digests import file_digest
from tasks.core.store import write_json
from tasks.core.vectors import shard_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def chunked(texts: Iterable[str], size: int) -> Iterator[tuple[int, list[str]]]:
    """Yield texts in numbered chunks of `size`, the last one shorter."""
    stream, number = iter(texts), 0
    while chunk := list(islice(stream, size)):
        yield number, chunk
        number += 1


def is_committed(folder: Path, number: int, count: int) -> bool:
    """Return whether a chunk of `count` vectors was committed whole, by the bytes on disk."""
    manifest, vectors = _manifest(folder, number), folder / shard_name(number)
    if not manifest.exists() or not vectors.exists():
        return False
    said: object = json.loads(manifest.read_text(encoding="utf-8"))
    return said == {"count": count, "sha256": file_digest(vectors)}


def commit(folder: Path, number: int, vectors: NDArray[np.floating[Any]]) -> None:
    """Write a chunk of vectors (n, dimension) so that it is there whole or not at all, whenever a kill comes."""
    import numpy as np

    final = folder / shard_name(number)
    temporary = folder / f".{final.name}"
    with temporary.open("wb") as file:
        np.save(file, vectors)
        file.flush()
        os.fsync(file.fileno())
    digest = file_digest(temporary)
    temporary.rename(final)
    write_json(_manifest(folder, number), {"count": len(vectors), "sha256": digest})


def gather(folder: Path, count: int, destination: Path) -> None:
    """Put the first `count` chunks into `destination` as shards, without copying their bytes."""
    for number in range(count):
        os.link(folder / shard_name(number), destination / shard_name(number))


def _manifest(folder: Path, number: int) -> Path:
    return folder / f"chunk-{number:05d}.json"

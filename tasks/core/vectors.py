"""Vectors at rest: an artifact of ``.npy`` shards beside the ids of their rows.

::

    vectors-00000.npy      (n, dimension), float32 or float16, rows of length one
    rows-00000.parquet     VECTORS: which row each vector is, in the same order

A ``.npy`` file is one header and then the matrix as FAISS wants it: row after row, little-endian. So a shard is mapped
into memory, read once in order and never copied or held whole; a Parquet list column would have to be decoded first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.rows import Columns, read_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: One vector, by the row that it is of.
VECTORS: Columns = {"row_id": "string"}


def shard_name(number: int) -> str:
    """Return the file name of a shard of vectors."""
    return f"vectors-{number:05d}.npy"


def vector_shards(folder: Path) -> Iterator[NDArray[np.floating[Any]]]:
    """Yield the shards of vectors in order, (n, dimension) each, mapped into memory and read-only."""
    import numpy as np

    for path in sorted(folder.glob("vectors-*.npy")):
        yield np.load(path, mmap_mode="r")


def vector_ids(folder: Path) -> Iterator[str]:
    """Yield the row ids of the vectors, in order."""
    return (row["row_id"] for row in read_rows(folder, VECTORS))

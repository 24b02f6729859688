"""How many rows a declared dataset has, before it is read.

Nothing is read that is not small: rows are counted in the store, in a file's own index, or by the length of its first
lines.
"""

from __future__ import annotations

from pathlib import Path

from flows.datasets import records_identity
from flows.recipes import Dataset
from tasks.core.readers import file_format
from tasks.core.store import Store
from tasks.ingest.source import files

_PEEK_BYTES = 1 << 20


def rows_of(dataset: Dataset, store: Store) -> int | None:
    """Return how many rows a dataset has, or about how many; None where that takes reading it."""
    if dataset.recipe is not None:
        return dataset.recipe.count
    if (found := store.find(records_identity(dataset))) is not None:
        return found.num_rows
    if dataset.hub is not None:
        return None
    counts = [_rows_in(path) for path in files(dataset.as_read)]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def bytes_of(dataset: Dataset) -> int | None:
    """Return how many bytes of text a dataset's files hold, with what stands around it; None where no file says so."""
    if dataset.recipe is not None or dataset.hub is not None:
        return None
    sizes = [_bytes_in(path) for path in files(dataset.as_read)]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _bytes_in(path: Path) -> int | None:
    if path.suffix.lower() in (".gz", ".zst"):
        return None
    if file_format(path) == ".parquet":
        import pyarrow.parquet as pq

        groups = pq.read_metadata(path)
        return sum(int(groups.row_group(place).total_byte_size) for place in range(groups.num_row_groups))
    return path.stat().st_size


def _rows_in(path: Path) -> int | None:
    if path.suffix.lower() in (".gz", ".zst"):
        return None
    if file_format(path) == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path).num_rows)
    if file_format(path) == ".json":
        return None
    with path.open("rb") as file:
        head = file.read(_PEEK_BYTES)
    lines = head.count(b"\n") + (not head.endswith(b"\n"))
    return lines if len(head) < _PEEK_BYTES else round(path.stat().st_size / len(head) * lines)

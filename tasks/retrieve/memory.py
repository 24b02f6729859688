"""How much memory an index may take, known before it is built: out of memory is an answer, not an accident."""

from __future__ import annotations

import resource
from math import sqrt
from pathlib import Path

from tasks.core.errors import InfrastructureError
from tasks.retrieve.config import HnswIndex, IvfIndex

#: Vectors that are read at once.
BLOCK_ROWS = 16_384
#: Training vectors a cell of an inverted file: FAISS warns below 39 and takes no more than 256.
TRAINING = 64
#: Storage grows by copying: for that moment, old and new are held.
_GROWTH = 2
#: Bytes that building takes for a character of text: twice what `tests/benchmarks/retrieve.py` measures.
_BYTES_A_CHARACTER = 34
_CGROUP = Path("/sys/fs/cgroup")
_SHARE = 0.8


def exact_bytes(queries: int, k: int, dimension: int) -> int:
    """Return the bytes that exact search takes: the queries, their k results, and a block as read and as FAISS copies
    it."""
    return queries * (dimension * 4 + k * 24) + 2 * BLOCK_ROWS * dimension * 4


def index_bytes(rows: int, dimension: int, config: IvfIndex | HnswIndex) -> int:
    """Return the bytes that an approximate index takes at most while it is built."""
    vectors = rows * dimension * 4
    if isinstance(config, HnswIndex):
        return _GROWTH * vectors + rows * (config.links * 2 * 4 + 64)
    return _GROWTH * (vectors + rows * 8) + cells(config, rows) * (1 + TRAINING) * dimension * 4


def cells(config: IvfIndex, rows: int) -> int:
    """Return how many cells an inverted file of so many rows has."""
    return min(config.lists or round(4 * sqrt(rows)), rows)


def words_bytes(characters: int) -> int:
    """Return the bytes that a BM25 index of so many characters takes while it is built."""
    return characters * _BYTES_A_CHARACTER


def budget(declared: int | None, free: int | None = None) -> int:
    """Return the bytes that an index may take: as declared, or 80 % of what is free, and never more than is free.

    Args:
        free: the bytes of the machine in question; None for what is free on this one, now.
    """
    free = free_bytes() if free is None else free
    return min(declared, free) if declared is not None else int(_SHARE * free)


def free_bytes() -> int:
    """Return the bytes that this process can still take: of the machine, its container and its own limit, the least."""
    import psutil

    limits = [int(psutil.virtual_memory().available)]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        limits.append(soft - int(psutil.Process().memory_info().vms))
    if (most := _cgroup("memory.max")) is not None:
        limits.append(most - (_cgroup("memory.current") or 0) + _reclaimable())
    return max(0, min(limits))


def require(what: str, needed: int, allowed: int, *, remedy: str) -> None:
    """Stop before memory runs out.

    Raises:
        InfrastructureError: saying by how much `needed` bytes are too many.
    """
    if needed > allowed:
        raise InfrastructureError(
            f"{what} needs {_size(needed)} of memory and {_size(allowed)} are allowed: {_size(needed - allowed)} short",
            remedy=remedy,
        )


def _cgroup(name: str) -> int | None:
    try:
        text = (_CGROUP / name).read_text().strip()
    except OSError:
        return None  # no container, or one of another kind
    return int(text) if text.isdigit() else None


def _reclaimable() -> int:
    """Return the container's bytes of file cache, which count as taken and are given back on demand."""
    try:
        lines = (_CGROUP / "memory.stat").read_text().split("\n")
    except OSError:
        return 0
    stat = dict(line.split() for line in lines if line)
    return int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"

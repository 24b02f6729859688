"""How much memory an index may take, known before it is built: out of memory is an answer, not an accident."""

from __future__ import annotations

import resource
from pathlib import Path

from tasks.core.errors import InfrastructureError

_CGROUP = Path("/sys/fs/cgroup")
_SHARE = 0.8


def budget(declared: int | None) -> int:
    """Return the bytes that an index may take: as declared, or 80 % of what is free, and never more than is free."""
    free = free_bytes()
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

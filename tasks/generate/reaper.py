"""Ends what is left of an engine, wherever its processes have gone.

An engine's processes carry a mark in their environment, which their children inherit: which driver they serve, and
which of its engines they are. So even a grandchild whose parents are dead, and which no process tree leads to any more,
is found and killed before it holds a GPU's memory for ever.
"""

from __future__ import annotations

import os
import socket
import uuid

import psutil

#: The environment variable that marks an engine's processes.
MARK = "ASSAY_GENERATE_ENGINE"


def new_mark() -> str:
    """Return the mark of a new engine of this process."""
    started = psutil.Process().create_time()
    return f"{socket.gethostname()}/{os.getpid()}/{started}/{uuid.uuid4().hex}"


def reap(mark: str) -> int:
    """Kill every process of this machine that carries `mark`, stopped ones too; return how many."""
    return _kill([process for process, found in _marked() if found == mark])


def reap_orphans() -> int:
    """Kill every engine of this machine whose driver, on this machine too, is gone; return how many processes."""
    return _kill([process for process, found in _marked() if _orphaned(found)])


def _orphaned(mark: str) -> bool:
    host, pid, started, _ = mark.split("/")
    if host != socket.gethostname():
        return False
    try:
        return bool(psutil.Process(int(pid)).create_time() != float(started))
    except psutil.NoSuchProcess:
        return True


def _marked() -> list[tuple[psutil.Process, str]]:
    return [(process, mark) for process in psutil.process_iter() if (mark := _mark(process))]


def _mark(process: psutil.Process) -> str:
    try:
        return str(process.environ().get(MARK, ""))
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return ""


def _kill(processes: list[psutil.Process]) -> int:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=10)
    return len(processes)

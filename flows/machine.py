"""The devices that a study will run on: as its runtime declares them, else as this machine has them.

A plan may be made on a laptop for a cluster, so whatever is declared comes before what is found. Nothing is started:
GPUs are asked for by ``nvidia-smi``, and a core's peak is timed on one small product of matrices.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

from pydantic import Field

from tasks.anneal.flops import gpu_peak
from tasks.core.identity import Frozen
from tasks.core.memory import GIB

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_PRODUCT = 512


class PlanRuntime(Frozen):
    """What a plan has to know of the machine, and when it refuses a study. None of it enters a key.

    Attributes:
        device: the GPU by its maker's name, such as ``H100``; by default the one that is here.
        device_memory_gib: the memory of one GPU; by default that of the one here.
        host_memory_gib: the memory of one machine; by default this one's, unless a GPU is declared that is not here.
        hour_price: of one device (GPU, or core where there is none) for an hour; by default `generate.device_price`.
        utilisation: the share of a device's peak that training is assumed to reach, where the store has no measurement.
        answering_utilisation: the same of models that read and answer, which wait for memory more than they compute.
        least_chance: `assay run` refuses a study that has a smaller chance to see its declared effect.
        anyway: carry out a study that the plan would refuse.
    """

    device: str | None = None
    device_memory_gib: float | None = Field(default=None, gt=0)
    host_memory_gib: float | None = Field(default=None, gt=0)
    hour_price: float | None = Field(default=None, ge=0)
    utilisation: float = Field(default=0.3, gt=0, le=1)
    answering_utilisation: float = Field(default=0.1, gt=0, le=1)
    least_chance: float = Field(default=0.2, ge=0, lt=1)
    anyway: bool = False


class Device(Frozen):
    """One device: a GPU, or a core of the host.

    Attributes:
        name: what it is called; empty where a GPU is neither declared nor here.
        memory: its bytes (the host's, for a core); None where they are not known.
        host: the host's bytes; None where they are not known.
        peak: floating-point operations a second; None where they are not known.
        peak_source: where that figure is from.
    """

    gpu: bool
    name: str
    memory: int | None
    host: int | None
    peak: float | None
    peak_source: str


def device_for(plan: PlanRuntime, *, gpu: bool) -> Device:
    """Return the device that a stage computes on."""
    here = _gpu_here() if gpu else None
    elsewhere = gpu and here is None
    host = _bytes(plan.host_memory_gib) or (None if elsewhere else host_memory())
    if not gpu:
        return Device(
            gpu=False, name="core", memory=host, host=host, peak=core_peak(), peak_source="timed here, float32"
        )
    name = plan.device or (here[0] if here else "")
    peak, source = gpu_peak(name) or (None, "")
    memory = _bytes(plan.device_memory_gib) or (here[1] if here and not plan.device else None)
    return Device(gpu=True, name=name, memory=memory, host=host, peak=peak, peak_source=source)


def host_memory() -> int:
    """Return the bytes of this machine's memory, or of its container's where that has less."""
    import psutil

    total = int(psutil.virtual_memory().total)
    limit = _CGROUP_LIMIT.read_text().strip() if _CGROUP_LIMIT.exists() else ""
    return min(total, int(limit)) if limit.isdigit() else total


@cache
def core_peak() -> float:
    """Return the floating-point operations a second of one product of float32 matrices: at least what a core does."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    left = np.ones((_PRODUCT, _PRODUCT), dtype=np.float32)
    best = float("inf")
    for _ in range(5):
        with threadpool_limits(1):
            started = time.perf_counter()
            left @ left
            best = min(best, time.perf_counter() - started)
    return 2 * _PRODUCT**3 / best


@cache
def _gpu_here() -> tuple[str, int] | None:
    """Return the name and bytes of this machine's smallest GPU, None where there is none."""
    if shutil.which("nvidia-smi") is None:
        return None
    asked = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    said = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
    if said.returncode != 0:  # the tool without a driver
        return None
    found = [line.rsplit(",", 1) for line in said.stdout.splitlines() if "," in line]
    return min(
        ((name.strip(), int(mebibytes) * 2**20) for name, mebibytes in found), key=lambda gpu: gpu[1], default=None
    )


def _bytes(gib: float | None) -> int | None:
    return None if gib is None else int(gib * GIB)

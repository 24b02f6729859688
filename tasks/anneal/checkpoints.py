"""Checkpoints that are whole or not there.

::

    <scratch>/checkpoints/step-00000100/     everything of one step: weights, optimiser, random state, steps so far
                                COMMIT       written last: the run's shape, and each file with its bytes and SHA-256

Files are synced before COMMIT is renamed into place, so a checkpoint with a COMMIT whose files match it is whole. One
that is not is removed, and the one before it is used. Resuming needs the same shape (workers, ZeRO stage, passes): with
another one the arithmetic, and so the losses, would differ.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.anneal.config import AnnealConfig, AnnealRuntime, accumulation
from tasks.core.digests import file_digest
from tasks.core.errors import EngineError
from tasks.core.store import write_json

COMMIT = "COMMIT"
_PREFIX = "step-"


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint: the steps done, its folder, and the shape of the run that wrote it."""

    step: int
    folder: Path
    shape: dict[str, Any]


def checkpoint_folder(root: Path, step: int) -> Path:
    """Return where the checkpoint of a step goes."""
    return root / f"{_PREFIX}{step:08d}"


def run_shape(config: AnnealConfig, runtime: AnnealRuntime) -> dict[str, Any]:
    """Return what of a run's shape changes its arithmetic, so that a resumed run must share it."""
    passes = accumulation(config, runtime)
    return {"workers": runtime.workers, "zero_stage": runtime.zero_stage, "accumulation": passes}


def commit(folder: Path, step: int, shape: dict[str, Any]) -> None:
    """Declare everything under `folder` a whole checkpoint. Only one process calls it, after all have written."""
    files = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        files[path.relative_to(folder).as_posix()] = [path.stat().st_size, file_digest(path)]
    for part in {folder, *(p for p in folder.rglob("*") if p.is_dir())}:
        _sync(part)
    write_json(folder / COMMIT, {"step": step, "shape": shape, "files": files})
    _sync(folder.parent)


def latest(root: Path) -> Checkpoint | None:
    """Return the newest whole checkpoint under `root`, or None. Torn ones are left where they are."""
    for folder in sorted(root.glob(f"{_PREFIX}*"), reverse=True):
        if (found := _read(folder)) is not None:
            return found
    return None


def prune(root: Path, keep: int) -> None:
    """Remove torn checkpoints and all whole ones but the newest `keep`."""
    whole = 0
    for folder in sorted(root.glob(f"{_PREFIX}*"), reverse=True):
        if (folder / COMMIT).exists() and whole < keep:
            whole += 1
        else:
            shutil.rmtree(folder)


def check_shape(found: Checkpoint, shape: dict[str, Any], job: str) -> None:
    """Refuse a checkpoint that a run of another shape wrote.

    Raises:
        EngineError: naming what differs.
    """
    if differing := sorted(key for key in {*shape, *found.shape} if shape.get(key) != found.shape.get(key)):
        then = ", ".join(f"{key} {found.shape.get(key)}" for key in differing)
        now = ", ".join(f"{key} {shape.get(key)}" for key in differing)
        raise EngineError(
            f"{job!r} stopped at step {found.step} under {then}, and this run has {now}: it cannot resume exactly",
            remedy=f"run with {then}, or remove {found.folder.parent} to start this job from its first step",
        )


def _read(folder: Path) -> Checkpoint | None:
    if not (folder / COMMIT).exists():
        return None
    content = json.loads((folder / COMMIT).read_text())
    for name, (size, digest) in content["files"].items():
        file = folder / name
        if not file.exists() or file.stat().st_size != size or file_digest(file) != digest:
            return None
    return Checkpoint(content["step"], folder, content["shape"])


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

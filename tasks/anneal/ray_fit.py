"""The engine that ships: one Ray Train fit drains a queue of anneals, and stays warm for the next.

A fit's start (Ray, its controller, the workers and their imports) costs as much as training a small model does, so a
process opens one and keeps it for `keep_warm` seconds after its last job: later queues of the same runtime and store
go into the same fit.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.anneal import desk
from tasks.anneal.checkpoints import check_shape, latest, run_shape
from tasks.anneal.config import AnnealJob, AnnealRuntime, check_queue, identity
from tasks.anneal.data import check_packs
from tasks.anneal.engine import Progress, Report
from tasks.anneal.ray_cluster import resources, worker_environment
from tasks.anneal.ray_errors import mapped
from tasks.core.cluster import start_ray, stop_ray
from tasks.core.errors import IntegrityError
from tasks.core.store import ArtifactRef, Store

_POLL_SECONDS = 0.1
_CLOSE_SECONDS = 30.0
_opening = threading.Lock()
_open: dict[str, _Fit] = {}


class RayFit:
    """Trains a queue of anneals in one Ray Train fit."""

    def anneal(
        self, jobs: Sequence[AnnealJob], runtime: AnnealRuntime, store_root: Path, report: Report
    ) -> dict[str, ArtifactRef]:
        """See `tasks.anneal.engine.AnnealEngine.anneal`."""
        store = Store(store_root)
        check_queue(list(jobs), runtime)
        todo = _todo(jobs, store, report)
        for job in todo:
            check_packs(job, store)
            _check_checkpoint(job, runtime, store)
        if todo:
            report(Progress("", "starting"))
            _drain(todo, runtime, store, report)
        return {job.name: _published(job, store) for job in jobs}


def close() -> None:
    """Let every open fit end once its queue is empty, and wait for it, but not for ever. Ray stays."""
    with _opening:
        fits = list(_open.values())
        _open.clear()
    for fit in fits:
        desk.close(fit.folder)
        fit.join(_CLOSE_SECONDS)
        shutil.rmtree(fit.folder, ignore_errors=True)


def _drain(todo: list[AnnealJob], runtime: AnnealRuntime, store: Store, report: Report) -> None:
    """Put jobs into a fit's queue and report until they are done; raise what stopped them."""
    while todo:
        fit, waiting = _fit_for(runtime, store, todo)
        try:
            _follow(fit, waiting, report)
        except (KeyboardInterrupt, SystemExit):
            stop_ray()
            raise
        if fit.error is not None and waiting:
            raise mapped(fit.error, fit.folder, set(waiting)) from fit.error
        todo = list(waiting.values())  # the fit was closing as they came: they go into the next one


def _follow(fit: _Fit, waiting: dict[int, AnnealJob], report: Report) -> None:
    """Report on the jobs in `waiting`, and take out those that are done, until none is left or the fit has ended."""
    seen, mine = dict[Path, int](), set(waiting)
    ended = False
    while waiting and not ended:
        fit.join(_POLL_SECONDS)
        ended = not fit.is_alive()
        for number, progress in desk.new_progress(fit.folder, seen):
            if number in mine:
                report(progress)
            if progress.state in ("finished", "cached"):
                waiting.pop(number, None)


def _fit_for(runtime: AnnealRuntime, store: Store, jobs: list[AnnealJob]) -> tuple[_Fit, dict[int, AnnealJob]]:
    """Return the open fit of this runtime and store, opening one if need be, with `jobs` in its queue."""
    key = f"{store.root} {runtime.model_dump_json()}"
    with _opening:
        fit = _open.get(key)
        if fit is None or not fit.takes_jobs():
            start_ray(runtime.ray_address)
            # Registered once Ray is imported, so that it runs before Ray's own: with Ray gone, a fit waits for ever.
            atexit.unregister(close)
            atexit.register(close)
            fit = _open[key] = _Fit(runtime, store)
            fit.start()
        return fit, {fit.put(job): job for job in jobs}


class _Fit(threading.Thread):
    """`TorchTrainer.fit`, beside the callers' threads, with the run's folder that its workers share with them."""

    def __init__(self, runtime: AnnealRuntime, store: Store) -> None:
        super().__init__(name="fit", daemon=True)
        self.error: BaseException | None = None
        _remove_abandoned(store.root / ".work")
        self.folder = store.root / ".work" / f"fit-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self._runtime, self._store, self._count = runtime, store, 0

    def takes_jobs(self) -> bool:
        return self.is_alive() and not (self.folder / "closed").exists()

    def put(self, job: AnnealJob) -> int:
        self._count += 1
        desk.put(self.folder, self._count, job)
        return self._count

    def run(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            _trainer(self._runtime, self._store, self.folder).fit()
        except BaseException as error:
            self.error = error


def _remove_abandoned(work: Path) -> None:
    """Remove the folders of this machine's fits whose process is gone; one that failed stays so long, to be read."""
    for folder in work.glob(f"fit-{socket.gethostname()}-*"):
        process = int(folder.name.split("-")[-2])
        if not Path(f"/proc/{process}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _trainer(runtime: AnnealRuntime, store: Store, run: Path) -> Any:
    import logging

    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from tasks.anneal.ray_groups import GroupedTorchConfig
    from tasks.anneal.ray_worker import drain

    logging.getLogger("ray.train").setLevel(logging.ERROR)
    return TorchTrainer(
        drain,
        train_loop_config=desk.settings(store.root, run, runtime.model_dump(mode="json")),
        torch_config=GroupedTorchConfig(
            backend="nccl" if runtime.use_gpu else "gloo",
            timeout_s=runtime.collective_timeout,
            group_size=runtime.workers,
        ),
        scaling_config=ScalingConfig(
            num_workers=runtime.workers * runtime.parallel_jobs,
            use_gpu=runtime.use_gpu,
            resources_per_worker=resources(runtime),
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=str(run),
            failure_config=FailureConfig(max_failures=0),
            worker_runtime_env={"env_vars": worker_environment(runtime)},
        ),
    )


def _todo(jobs: Sequence[AnnealJob], store: Store, report: Report) -> list[AnnealJob]:
    todo = []
    for job in jobs:
        if store.find(identity(job)) is None:
            todo.append(job)
        else:
            report(Progress(job.name, "cached"))
    return todo


def _published(job: AnnealJob, store: Store) -> ArtifactRef:
    if (ref := store.find(identity(job))) is None:
        raise IntegrityError(f"the fit ended and {job.name!r} was not published", remedy="run again")
    return ref


def _check_checkpoint(job: AnnealJob, runtime: AnnealRuntime, store: Store) -> None:
    """Refuse, before anything starts, to go on from a checkpoint of another shape of run."""
    found = latest(store.scratch(identity(job)) / "checkpoints")
    if found is not None:
        check_shape(found, run_shape(job.config, runtime), job.name)

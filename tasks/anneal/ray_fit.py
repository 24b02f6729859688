"""The engine that ships: one Ray Train fit drains a queue of anneals.

Ray is started once in a driver process, with no dashboard, no usage statistics and no network but the loopback, and
reused by later fits; a cluster that is there already is used where the runtime names its address. It is started from a
thread that lives as long as the process, since its processes die with the thread that started them: so they die with the
driver, however it dies, and not with the task that happened to need them first.

Ray's errors are mapped here. A worker that vanished, or lost its peers, is the machine's failure; what a worker raised
itself is the engine's, told with the tail of its log.
"""

from __future__ import annotations

import os
import re
import shutil
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
from tasks.core import errors
from tasks.core.errors import AssayError, EngineError, InfrastructureError, IntegrityError
from tasks.core.store import ArtifactRef, Store

_POLL_SECONDS = 0.1
_REPO = Path(__file__).parents[2]
_LOST_PEER = re.compile(
    r"connection (closed|reset|refused)|timed out|timeout|broken pipe|socket|unhandled system error|remote process exited",
    re.IGNORECASE,
)
_DEATHS = ("ActorDied", "ActorUnavailable", "WorkerCrashed", "OutOfMemory", "NodeDied", "RayActorError", "HealthCheck")
_driver_lock = threading.Lock()


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
            self._fit(todo, runtime, store, report)
        return {job.name: _published(job, store) for job in jobs}

    def _fit(self, todo: list[AnnealJob], runtime: AnnealRuntime, store: Store, report: Report) -> None:
        report(Progress("", "starting"))
        run = store.root / ".work" / f"fit-{uuid.uuid4().hex[:12]}"
        run.mkdir(parents=True)
        queue = sorted(todo, key=lambda job: -job.plan.num_rows * job.config.sequence_length)
        config = {
            "run": str(run),
            "store": str(store.root),
            "runtime": runtime.model_dump(mode="json"),
            "jobs": [job.model_dump(mode="json") for job in (queue if runtime.parallel_jobs > 1 else todo)],
        }
        start_ray(runtime)
        _watch(_Fit(config, runtime, run), run, report)
        shutil.rmtree(run, ignore_errors=True)


def start_ray(runtime: AnnealRuntime) -> None:
    """Make sure that this process is a Ray driver.

    Raises:
        InfrastructureError: if Ray does not start, or the cluster cannot be reached.
    """
    os.environ.update(_DRIVER_ENVIRONMENT)
    import ray

    with _driver_lock:
        if ray.is_initialized():
            return
        failed: list[BaseException] = []
        started = threading.Event()
        threading.Thread(target=_keep_ray, args=(runtime, started, failed), name="ray", daemon=True).start()
        started.wait()
    if failed:
        raise InfrastructureError(
            f"Ray did not start: {failed[0]}",
            remedy="see that the temporary folder has room and /dev/shm is writable; or name a running ray_address",
        ) from failed[0]


def stop_ray() -> None:
    """Stop the Ray that this process started, and all its workers. A later fit starts another."""
    import ray

    with _driver_lock:
        ray.shutdown()


#: Read by Ray in the driver and handed on to its own processes.
_DRIVER_ENVIRONMENT = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}


def _keep_ray(runtime: AnnealRuntime, started: threading.Event, failed: list[BaseException]) -> None:
    """Start Ray and stay: Ray's processes die with this thread."""
    import logging

    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if runtime.ray_address:
        options |= {"address": runtime.ray_address}
    else:
        options |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1", "object_store_memory": 80_000_000}
    try:
        ray.init(**options)
    except BaseException as error:
        failed.append(error)
        return
    finally:
        started.set()
    threading.Event().wait()


class _Fit(threading.Thread):
    """`TorchTrainer.fit`, beside the caller's thread, which reports progress meanwhile."""

    def __init__(self, config: dict[str, Any], runtime: AnnealRuntime, run: Path) -> None:
        super().__init__(name="fit", daemon=True)
        self.error: BaseException | None = None
        self._config, self._runtime, self._run_folder = config, runtime, run

    def run(self) -> None:
        try:
            _trainer(self._config, self._runtime, self._run_folder).fit()
        except BaseException as error:
            self.error = error


def _trainer(config: dict[str, Any], runtime: AnnealRuntime, run: Path) -> Any:
    import logging

    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from tasks.anneal.ray_groups import GroupedTorchConfig
    from tasks.anneal.ray_worker import drain

    logging.getLogger("ray.train").setLevel(logging.ERROR)
    total = runtime.workers * runtime.parallel_jobs
    cores = min(1.0, ray.cluster_resources().get("CPU", 1.0) / total)
    return TorchTrainer(
        drain,
        train_loop_config=config,
        torch_config=GroupedTorchConfig(
            backend="nccl" if runtime.use_gpu else "gloo",
            timeout_s=runtime.collective_timeout,
            group_size=runtime.workers,
        ),
        scaling_config=ScalingConfig(
            num_workers=total, use_gpu=runtime.use_gpu, resources_per_worker=_resources(runtime, cores)
        ),
        run_config=RunConfig(
            name="fit",
            storage_path=str(run),
            failure_config=FailureConfig(max_failures=0),
            worker_runtime_env={"env_vars": _worker_environment(runtime)},
        ),
    )


def _resources(runtime: AnnealRuntime, cores: float) -> dict[str, float]:
    return {"CPU": cores, "GPU": 1} if runtime.use_gpu else {"CPU": cores}


def _worker_environment(runtime: AnnealRuntime) -> dict[str, str]:
    path = [str(_REPO), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
        "OMP_NUM_THREADS": str(runtime.threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TORCH_EXTENSIONS_DIR": os.environ.get("TORCH_EXTENSIONS_DIR", str(Path.home() / ".cache" / "torch_extensions")),
    }
    if runtime.use_gpu:
        return environment | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    return environment | {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": _loopback(runtime)}


def _loopback(runtime: AnnealRuntime) -> str:
    """Return the network interface for Gloo: the loopback, unless a cluster may span machines."""
    return os.environ.get("GLOO_SOCKET_IFNAME", "") if runtime.ray_address else "lo"


def _watch(fit: _Fit, run: Path, report: Report) -> None:
    """Report progress until the fit ends, and raise what it raised."""
    seen: dict[Path, int] = {}
    fit.start()
    try:
        while fit.is_alive():
            fit.join(_POLL_SECONDS)
            for progress in desk.new_progress(run, seen):
                report(progress)
    except BaseException:
        stop_ray()
        raise
    for progress in desk.new_progress(run, seen):
        report(progress)
    if fit.error is not None:
        raise mapped(fit.error, run) from fit.error


def mapped(error: BaseException, run: Path) -> AssayError:
    """Return a fit's error as one of Assay's own, with the job's name and the tail of the worker's log."""
    found = desk.failures(run)
    if (own := next((f for f in found if f["kind"]), None)) is not None:
        kind = getattr(errors, own["kind"])
        rebuilt: AssayError = kind(own["message"], remedy=own["remedy"])
        return rebuilt
    dead = [rank for rank, why in _worker_failures(error).items() if any(d in _named(why) for d in _DEATHS)]
    first = found[0] if found else {"rank": dead[0] if dead else 0, "job": "", "message": str(error)}
    where = f"annealing {first['job']!r}" if first["job"] else "annealing"
    tail = f"{run}\n{desk.log_tail(run, dead[0] if dead else first['rank'])}"
    if dead or not found or _LOST_PEER.search(first["message"]):
        lost = f"worker {dead[0]} died" if dead else first["message"]
        return InfrastructureError(
            f"{where}: {lost}; its log, in {tail}",
            remedy="run again: finished jobs are kept and the one in flight resumes; if memory ran out, lower micro_batch",
        )
    return EngineError(f"{where}: {first['message']}; the end of its log, in {tail}", remedy=_advice(first["message"]))


def _advice(message: str) -> str:
    if "out of memory" in message.lower():
        return "lower micro_batch, raise zero_stage, or turn on gradient_checkpointing"
    return "the log says where; `assay doctor` checks the engines"


def _worker_failures(error: BaseException) -> dict[int, BaseException]:
    failed: dict[int, BaseException] = getattr(error, "worker_failures", {})
    return failed


def _named(error: BaseException | None) -> str:
    """Return the names of an error's classes and of its causes'."""
    names = []
    while error is not None:
        names += [kind.__name__ for kind in type(error).__mro__]
        error = error.__cause__ or error.__context__
    return " ".join(names)


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

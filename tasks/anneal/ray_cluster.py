"""Ray as a driver process starts it, and what its workers are started with.

Ray is started once in a process, with no dashboard, no usage statistics and no network but the loopback, and reused; a
cluster that is there already is used where the runtime names its address. It is started from a thread that lives as
long as the process, since its processes die with the thread that started them: so they die with the driver, however it
dies, and not with the task that happened to need them first.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

from tasks.anneal.config import AnnealRuntime
from tasks.core.errors import InfrastructureError

_REPOSITORY = Path(__file__).parents[2]
_driver = threading.Lock()

#: Read by Ray in the driver, and handed on to its own processes.
DRIVER_ENVIRONMENT = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    # Ray Train starts five processes one after another, each with seconds of imports: let them start together, and
    # start none that nobody asked for.
    "RAY_worker_maximum_startup_concurrency": "8",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
}


def start_ray(runtime: AnnealRuntime) -> None:
    """Make sure that this process is a Ray driver.

    Raises:
        InfrastructureError: if Ray does not start, or the cluster cannot be reached.
    """
    os.environ.update(DRIVER_ENVIRONMENT)
    import ray

    failed: list[BaseException] = []
    with _driver:
        if ray.is_initialized():
            return
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

    with _driver:
        ray.shutdown()


def _keep_ray(runtime: AnnealRuntime, started: threading.Event, failed: list[BaseException]) -> None:
    """Start Ray and stay: Ray's processes die with this thread."""
    import ray

    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **_where(runtime))
    except BaseException as error:
        failed.append(error)
        return
    finally:
        started.set()
    threading.Event().wait()


def _where(runtime: AnnealRuntime) -> dict[str, Any]:
    if runtime.ray_address:
        return {"address": runtime.ray_address}
    return {"include_dashboard": False, "_node_ip_address": "127.0.0.1", "object_store_memory": 80_000_000}


def resources(runtime: AnnealRuntime) -> dict[str, float]:
    """Return what one worker asks Ray for: a core, or less where the machine has fewer cores than there are workers."""
    import ray

    total = runtime.workers * runtime.parallel_jobs
    cores = min(1.0, ray.cluster_resources().get("CPU", 1.0) / total)
    return {"CPU": cores, "GPU": 1.0} if runtime.use_gpu else {"CPU": cores}


def worker_environment(runtime: AnnealRuntime) -> dict[str, str]:
    """Return the environment variables of a worker."""
    path = [str(_REPOSITORY), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    builds = Path.home() / ".cache" / "torch_extensions"
    environment = {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
        "OMP_NUM_THREADS": str(runtime.threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TORCH_EXTENSIONS_DIR": os.environ.get("TORCH_EXTENSIONS_DIR", str(builds)),
    }
    if runtime.use_gpu:
        return environment | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    environment |= {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    return environment if runtime.ray_address else environment | {"GLOO_SOCKET_IFNAME": "lo"}

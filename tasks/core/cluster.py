"""Ray as a driver process starts it, once, for whichever stage needs it first.

It runs on the loopback with no dashboard and no usage statistics; a cluster that is there already is used where its
address is given, and one that this process has joined before is kept. It is started from a thread that lives as long as
the process, since Ray's processes die with the thread that started them: so they die with the driver, however it dies,
and not with the task that happened to need them first.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

from tasks.core.errors import InfrastructureError

_REPOSITORY = Path(__file__).parents[2]
_driver = threading.Lock()

#: Read by Ray in the driver, and handed on to its own processes.
_ENVIRONMENT = {
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
    # That a worker died is told by the stage, with what becomes of its work.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed",
    # By default workers give way to anything else on the machine.
    "RAY_worker_niceness": "0",
    # Stages start several processes, each with seconds of imports: let them start together, and start none that nobody
    # asked for.
    "RAY_worker_maximum_startup_concurrency": "8",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
}


def start_ray(address: str | None) -> None:
    """Make sure that this process is a Ray driver, of the cluster at `address` or of one on this machine.

    Raises:
        InfrastructureError: if Ray does not start, or the cluster cannot be reached.
    """
    os.environ.update(_ENVIRONMENT)
    import ray

    failed: list[BaseException] = []
    with _driver:
        if ray.is_initialized():
            return
        started = threading.Event()
        threading.Thread(target=_keep_ray, args=(address, started, failed), name="ray", daemon=True).start()
        started.wait()
    if failed:
        raise InfrastructureError(
            f"Ray did not start: {failed[0]}",
            remedy="see that the temporary folder has room and /dev/shm is writable; or name a running ray_address",
        ) from failed[0]


def stop_ray() -> None:
    """Stop the Ray that this process started, and all its workers. A later stage starts another."""
    import ray

    with _driver:
        ray.shutdown()


def python_path() -> str:
    """Return the PYTHONPATH with which a worker finds this package, wherever it is started."""
    path = [str(_REPOSITORY), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return os.pathsep.join(dict.fromkeys(path))


def _keep_ray(address: str | None, started: threading.Event, failed: list[BaseException]) -> None:
    """Start Ray and stay: Ray's processes die with this thread."""
    import ray

    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **_where(address))
    except BaseException as error:
        failed.append(error)
        return
    finally:
        started.set()
    threading.Event().wait()


def _where(address: str | None) -> dict[str, Any]:
    if address:
        return {"address": address}
    return {"include_dashboard": False, "_node_ip_address": "127.0.0.1", "object_store_memory": 80_000_000}

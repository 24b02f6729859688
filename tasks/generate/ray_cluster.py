"""Ray as the driver starts it: once in a process, on the loopback, with no dashboard and nothing printed.

A cluster that is there already is used where the runtime names its address, and so is one that this process has joined
before. It is started from a thread that lives as long as the process, since Ray's processes die with the thread that
started them: so they die with the driver, however it dies.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

from tasks.core.errors import InfrastructureError, StudyError
from tasks.generate.config import GenerateRuntime

_REPOSITORY = Path(__file__).parents[2]
_driver = threading.Lock()

#: Read by Ray in the driver, and handed on to its own processes.
DRIVER_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # That an engine died is told by the stage, with what becomes of its work.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # by default an engine would give way to anything else on the machine
    "RAY_worker_maximum_startup_concurrency": "8",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
}


def start_ray(runtime: GenerateRuntime) -> None:
    """Make sure that this process is a Ray driver, and that the cluster has what the actors need.

    Raises:
        InfrastructureError: if Ray does not start, or the cluster cannot be reached.
        StudyError: if the cluster has fewer cores or GPUs than all actors take together.
    """
    os.environ.update(DRIVER_ENVIRONMENT)
    import ray

    failed: list[BaseException] = []
    with _driver:
        if not ray.is_initialized():
            started = threading.Event()
            threading.Thread(target=_keep_ray, args=(runtime, started, failed), name="ray", daemon=True).start()
            started.wait()
    if failed:
        raise InfrastructureError(
            f"Ray did not start: {failed[0]}",
            remedy="see that the temporary folder has room and /dev/shm is writable; or name a running ray_address",
        ) from failed[0]
    check_resources(runtime, ray.cluster_resources())


def stop_ray() -> None:
    """Stop the Ray that this process started, and all its workers."""
    import ray

    with _driver:
        ray.shutdown()


def check_resources(runtime: GenerateRuntime, there: dict[str, float]) -> None:
    """Refuse more actors than the cluster's cores and GPUs can ever hold.

    Raises:
        StudyError: with the figures.
    """
    for resource, each in (("CPU", runtime.cpus_per_actor), ("GPU", runtime.gpus_per_actor)):
        if (needed := runtime.actors * each) > there.get(resource, 0.0):
            raise StudyError(
                f"actors: {runtime.actors} with {each:g} {resource} each need {needed:g},"
                f" and Ray has {there.get(resource, 0.0):g}",
                remedy="lower actors or what each takes, or name a larger cluster by ray_address",
            )


def _keep_ray(runtime: GenerateRuntime, started: threading.Event, failed: list[BaseException]) -> None:
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


def _where(runtime: GenerateRuntime) -> dict[str, Any]:
    if runtime.ray_address:
        return {"address": runtime.ray_address}
    return {"include_dashboard": False, "_node_ip_address": "127.0.0.1", "object_store_memory": 80_000_000}


def actor_environment(runtime: GenerateRuntime, *, offline: bool) -> dict[str, str]:
    """Return the environment variables of an actor; `offline` where its model lies on a disk."""
    path = [str(_REPOSITORY), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
        "OMP_NUM_THREADS": str(max(1, int(runtime.cpus_per_actor))),
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        **({"HF_HUB_OFFLINE": "1"} if offline else {}),
    }

"""What an anneal's workers ask of Ray and are started with."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.anneal.config import AnnealRuntime
from tasks.core.cluster import python_path


def resources(runtime: AnnealRuntime) -> dict[str, float]:
    """Return what one worker asks Ray for: a core, or less where the machine has fewer cores than there are workers."""
    import ray

    total = runtime.workers * runtime.parallel_jobs
    cores = min(1.0, ray.cluster_resources().get("CPU", 1.0) / total)
    return {"CPU": cores, "GPU": 1.0} if runtime.use_gpu else {"CPU": cores}


def worker_environment(runtime: AnnealRuntime) -> dict[str, str]:
    """Return the environment variables of a worker."""
    builds = Path.home() / ".cache" / "torch_extensions"
    environment = {
        "PYTHONPATH": python_path(),
        "OMP_NUM_THREADS": str(runtime.threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TORCH_EXTENSIONS_DIR": os.environ.get("TORCH_EXTENSIONS_DIR", str(builds)),
    }
    if runtime.use_gpu:
        return environment | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    environment |= {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    return environment if runtime.ray_address else environment | {"GLOO_SOCKET_IFNAME": "lo"}

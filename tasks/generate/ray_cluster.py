"""What the engines' actors ask of Ray and are started with."""

from __future__ import annotations

from tasks.core.cluster import python_path, start_ray
from tasks.core.errors import StudyError
from tasks.generate.config import GenerateRuntime


def open_cluster(runtime: GenerateRuntime) -> None:
    """Make sure that this process is a Ray driver, and that the cluster has what the actors need.

    Raises:
        InfrastructureError: if Ray does not start, or the cluster cannot be reached.
        StudyError: if the cluster has fewer cores or GPUs than all actors take together.
    """
    start_ray(runtime.ray_address)
    import ray

    check_resources(runtime, ray.cluster_resources())


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


def actor_environment(runtime: GenerateRuntime, *, offline: bool) -> dict[str, str]:
    """Return the environment variables of an actor; `offline` where its model lies on a disk."""
    return {
        "PYTHONPATH": python_path(),
        "OMP_NUM_THREADS": str(max(1, int(runtime.cpus_per_actor))),
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        **({"HF_HUB_OFFLINE": "1"} if offline else {}),
    }

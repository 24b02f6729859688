"""The anneal stage as a Prefect task: arms in, references out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.anneal.config import AnnealJob, AnnealRuntime
from tasks.anneal.engine import AnnealEngine, Report
from tasks.core.retries import RETRIES
from tasks.core.store import ArtifactRef


@task(name="anneal", cache_policy=NO_CACHE, **RETRIES)  # the store is the cache: its keys are explicit
def anneal_arms(
    jobs: Sequence[AnnealJob],
    runtime: AnnealRuntime,
    store_root: Path,
    *,
    report: Report | None = None,
    engine: AnnealEngine | None = None,
) -> dict[str, ArtifactRef]:
    """Train every job that is not in the store yet, in one fit; return each one's artifact by its name.

    An artifact's folder holds ``model/`` (safetensors, config, tokenizer: ready for vLLM) and, outside its digest,
    ``logs/steps/`` (table STEPS). A run that is killed goes on from the last checkpoint of the job in flight.

    Raises:
        StudyError: for a queue that makes no sense; nothing was started.
        IntegrityError: for packs of another tokenizer or template, or a plan that names rows that are not there.
        InfrastructureError: if the machine failed, after two more tries.
        EngineError: if training failed.
    """
    if engine is None:
        from tasks.anneal.ray_fit import RayFit

        engine = RayFit()
    return engine.anneal(jobs, runtime, store_root, report or _quiet)


def release() -> None:
    """Let go of the workers that are kept warm for a next queue; the next one starts its own."""
    from tasks.anneal.ray_fit import close

    close()


def _quiet(_: object) -> None:
    """Take progress and say nothing."""

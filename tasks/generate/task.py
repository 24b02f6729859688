"""The generate stage as a Prefect task: a reference to requests in, a reference to outcomes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.core.errors import InfrastructureError, OutageError
from tasks.core.store import ArtifactRef, Store
from tasks.generate.answer import answer, identity, teacher_digest
from tasks.generate.budget import NOTHING, Spent
from tasks.generate.config import GenerateConfig, GenerateRuntime
from tasks.generate.engine import Report

__all__ = ["generate", "identity", "release", "teacher_digest"]


async def _machine_failed(_task: object, _run: object, state: Any) -> bool:
    """Say whether a failed run is worth another: only where the machine failed, and was not tried again as it was."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, InfrastructureError) and not isinstance(error, OutageError)


@task(
    name="generate",
    task_run_name="generate {name}",
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=_machine_failed,
    cache_policy=NO_CACHE,  # the store is the cache: its keys are explicit
)
def generate(
    name: str,
    config: GenerateConfig,
    requests: ArtifactRef,
    runtime: GenerateRuntime,
    store_root: Path,
    *,
    before: Spent = NOTHING,
    report: Report | None = None,
) -> ArtifactRef:
    """Publish the outcomes of `requests`; see `tasks.generate.answer.answer`."""
    return answer(name, config, requests, runtime, Store(store_root), report=report or _quiet, before=before)


def release() -> None:
    """End the engines that are kept warm for a next run; it starts its own."""
    from tasks.generate.ray_seats import release_seats

    release_seats()


def _quiet(_: object) -> None:
    """Take progress and say nothing."""

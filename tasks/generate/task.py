"""The generate stage as a Prefect task: a reference to requests in, a reference to outcomes out."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.core.retries import RETRIES
from tasks.core.store import ArtifactRef, Store
from tasks.generate.answer import answer
from tasks.generate.budget import NOTHING, Spent
from tasks.generate.config import GenerateConfig, GenerateRuntime
from tasks.generate.engine import Report

__all__ = ["generate", "release"]


@task(
    name="generate",
    task_run_name="generate {name}",
    cache_policy=NO_CACHE,  # the store is the cache: its keys are explicit
    **RETRIES,
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

"""The Prefect task of the stage: one run drains the queue of all (model, benchmark) pairs that the store lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.core.errors import InfrastructureError
from tasks.core.store import ArtifactRef, Store
from tasks.evaluate.config import EvaluateConfig, EvaluateJob, EvaluateRuntime
from tasks.evaluate.drain import evaluate
from tasks.evaluate.engine import Progress
from tasks.evaluate.opencompass import OpenCompass


def _is_infrastructure(task: object, task_run: object, state: Any) -> bool:  # noqa: ARG001
    return isinstance(state.result(raise_on_failure=False), InfrastructureError)


@task(
    name="evaluate",
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=_is_infrastructure,
    cache_policy=NO_CACHE,  # the store is the cache
)
def evaluate_models(
    jobs: list[EvaluateJob],
    config: EvaluateConfig,
    runtime: EvaluateRuntime,
    store_root: Path,
    *,
    report: Callable[[Progress], None] | None = None,
) -> list[ArtifactRef]:
    """Return the scores of each job, in the jobs' order; see `tasks.evaluate.drain.evaluate`."""
    return evaluate(
        jobs,
        config=config,
        runtime=runtime,
        store=Store(store_root),
        engine=OpenCompass(runtime),
        on_progress=report or _quiet,
    )


def _quiet(_: Progress) -> None:
    """Take progress and say nothing."""

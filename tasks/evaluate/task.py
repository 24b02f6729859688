"""The Prefect task of the stage: one run drains the queue of all (model, benchmark) pairs that the store lacks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.errors import InfrastructureError
from tasks.core.store import ArtifactRef, Store
from tasks.evaluate.config import EvaluateConfig, EvaluateJob, EvaluateRuntime
from tasks.evaluate.drain import evaluate
from tasks.evaluate.engine import Progress
from tasks.evaluate.opencompass import OpenCompass

_EVERY = 5.0  # seconds between progress lines


def _is_infrastructure(task: object, task_run: object, state: Any) -> bool:  # noqa: ARG001
    return isinstance(state.result(raise_on_failure=False), InfrastructureError)


@task(
    name="evaluate",
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=_is_infrastructure,
    cache_policy=NO_CACHE,  # the store is the cache
    persist_result=True,
    result_serializer="json",
)
def evaluate_models(
    jobs: list[EvaluateJob], config: EvaluateConfig, runtime: EvaluateRuntime, store_root: str
) -> list[ArtifactRef]:
    """Return the scores of each job, in the jobs' order; see `tasks.evaluate.drain.evaluate`."""
    logger = get_run_logger()
    last = [0.0]

    def report(progress: Progress) -> None:
        if time.monotonic() - last[0] < _EVERY and progress.done < progress.total:
            return
        last[0] = time.monotonic()
        left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
        logger.info(
            f"evaluate: {progress.done}/{progress.total} benchmarks, {progress.rows} rows, "
            f"{progress.rows_per_second:.0f} rows/s{left}; {progress.current}"
        )

    return evaluate(
        jobs,
        config=config,
        runtime=runtime,
        store=Store(Path(store_root)),
        engine=OpenCompass(runtime),
        on_progress=report,
    )

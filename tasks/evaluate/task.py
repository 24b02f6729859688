"""The Prefect tasks of the stage. Of each, one run drains the queue of all that the store lacks.

`record_prompts` and `evaluate_models` are one evaluation in two passes, where `generate` answers in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.core.retries import RETRIES
from tasks.core.store import ArtifactRef, Store
from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig, EvaluateJob, EvaluateRuntime
from tasks.evaluate.drain import evaluate
from tasks.evaluate.engine import Progress
from tasks.evaluate.items import items_identity, publish_items
from tasks.evaluate.labels import labels_identity, publish_labels
from tasks.evaluate.opencompass import OpenCompass
from tasks.evaluate.recording import record

__all__ = [
    "benchmark_items",
    "evaluate_models",
    "item_labels",
    "items_identity",
    "labels_identity",
    "record_prompts",
]

Report = Callable[[Progress], None]


#: The store is the cache.
_OPTIONS: dict[str, Any] = {"cache_policy": NO_CACHE, **RETRIES}


@task(name="evaluate", **_OPTIONS)
def evaluate_models(
    jobs: list[EvaluateJob],
    config: EvaluateConfig,
    runtime: EvaluateRuntime,
    store_root: Path,
    *,
    report: Report | None = None,
) -> list[ArtifactRef]:
    """Return the scores of each job, in the jobs' order; see `tasks.evaluate.drain.evaluate`."""
    return evaluate(
        jobs,
        config=config,
        runtime=runtime,
        store=Store(store_root),
        engine=OpenCompass(runtime, Store(store_root).work),
        on_progress=report or _quiet,
    )


@task(name="record", **_OPTIONS)
def record_prompts(
    jobs: list[EvaluateJob],
    config: EvaluateConfig,
    runtime: EvaluateRuntime,
    store_root: Path,
    *,
    report: Report | None = None,
) -> list[ArtifactRef]:
    """Return what each job asks, recorded, in the jobs' order; see `tasks.evaluate.recording.record`."""
    return record(
        jobs,
        config=config,
        runtime=runtime,
        store=Store(store_root),
        engine=OpenCompass(runtime, Store(store_root).work),
        on_progress=report or _quiet,
    )


@task(name="items", **_OPTIONS)
def benchmark_items(
    benchmarks: Sequence[BenchmarkConfig],
    config: EvaluateConfig,
    runtime: EvaluateRuntime,
    store_root: Path,
    *,
    report: Report | None = None,
) -> ArtifactRef:
    """Return the items of all benchmarks as texts; see `tasks.evaluate.items.publish_items`."""
    return publish_items(
        benchmarks,
        config=config,
        runtime=runtime,
        store=Store(store_root),
        engine=OpenCompass(runtime, Store(store_root).work),
        on_progress=report or _quiet,
    )


@task(name="labels", **_OPTIONS)
def item_labels(
    benchmarks: Sequence[BenchmarkConfig], items: ArtifactRef, runtime: EvaluateRuntime, store_root: Path
) -> ArtifactRef:
    """Return what the items are about and how hard they are; see `tasks.evaluate.labels.publish_labels`."""
    return publish_labels(benchmarks, items, data=Path(runtime.data), store=Store(store_root))


def _quiet(_: Progress) -> None:
    """Take progress and say nothing."""

"""What drives a queue of anneals: a seam between the stage and its engines.

The engine that ships is `tasks.anneal.ray_fit.RayFit`. Tests of flows may bring another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tasks.anneal.config import AnnealJob, AnnealRuntime
from tasks.core.store import ArtifactRef


@dataclass(frozen=True)
class Progress:
    """Where a queue of anneals is.

    Attributes:
        job: the name of the job this is about; empty while the engine starts.
        state: ``starting`` (the engine), ``training``, ``finished`` (its artifact is in the store) or ``cached``.
        step, steps: optimiser steps done, and of the whole job.
        loss: mean cross-entropy of the step's supervised tokens, in nats; None before the first step.
        tokens_per_second: of this job, over all its workers.
        seconds_left: of this job, at the present speed; None where it is not known.
    """

    job: str
    state: Literal["starting", "training", "finished", "cached"]
    step: int = 0
    steps: int = 0
    loss: float | None = None
    tokens_per_second: float | None = None
    seconds_left: float | None = None


Report = Callable[[Progress], None]


class AnnealEngine(Protocol):
    """Trains every job of a queue and publishes each one's artifact as soon as it is done."""

    def anneal(
        self, jobs: Sequence[AnnealJob], runtime: AnnealRuntime, store_root: Path, report: Report
    ) -> dict[str, ArtifactRef]:
        """Return the artifact of each job by its name.

        Raises:
            IntegrityError: for packs that do not belong to a job.
            InfrastructureError: if the machine failed; jobs that were finished stay finished.
            EngineError: if training itself failed.
        """
        ...

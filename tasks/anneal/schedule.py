"""The learning rate over steps, and which sequences a worker reads when. Pure."""

from __future__ import annotations

import math

from tasks.anneal.config import AnnealConfig


def learning_rate_factor(config: AnnealConfig, step: int, steps: int) -> float:
    """Return the learning rate of a step as a share of its peak.

    Steps count from 0. Warm-up rises to the peak in its last step; the linear schedule then falls so that it would be
    zero in the step after the last one, and every step trains.
    """
    warmup = math.ceil(config.warmup * steps)
    if step < warmup:
        return (step + 1) / warmup
    if config.schedule == "constant":
        return 1.0
    return max(0.0, (steps - step) / (steps - warmup))


def positions(step: int, passes: int, micro_batch: int, workers: int, rank: int) -> list[range]:
    """Return the plan's positions that one worker reads in one step, a range for each of its forward passes.

    Step k reads positions [k·G, (k+1)·G), G = workers x passes x micro_batch, whatever the number of workers.
    """
    share = passes * micro_batch
    first = step * workers * share + rank * share
    return [range(first + i * micro_batch, first + (i + 1) * micro_batch) for i in range(passes)]

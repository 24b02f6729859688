"""How a model that does not fit its devices can be made to: the nearest change of an anneal's runtime. Pure.

Nothing here changes a result. What costs no speed to speak of comes first: a smaller micro-batch, then gradient
checkpointing (a third more arithmetic), a higher ZeRO stage (more communication), offload (the host's memory is slow),
and last more workers, which cost money.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from tasks.anneal.config import AnnealConfig, AnnealRuntime
from tasks.anneal.memory import training_memory
from tasks.core.memory import ModelShape

_STAGES = (0, 1, 2, 3)


def fitting(
    shape: ModelShape, config: AnnealConfig, runtime: AnnealRuntime, device: int, host: int | None
) -> AnnealRuntime | None:
    """Return the runtime nearest to the given one with which a worker fits, None where there is none.

    Args:
        device: the bytes that a worker may take of its device.
        host: the bytes that it may offload to the host; None where that is not known, so nothing is offloaded.
    """
    for one in _nearest(config, runtime, offloads=host is not None):
        memory = training_memory(shape, config, one)
        if memory.device <= device and memory.host <= (host or 0):
            return one
    return None


def _nearest(config: AnnealConfig, runtime: AnnealRuntime, *, offloads: bool) -> Iterator[AnnealRuntime]:
    """Yield the runtimes to try, the nearest first: the last loop is what changes first."""
    stages = [stage for stage in _STAGES if stage >= runtime.zero_stage]
    for workers in _worker_counts(config, runtime):
        for offload in sorted({runtime.offload, *([True] if offloads else [])}):
            for stage in stages:
                for checkpointing in sorted({runtime.gradient_checkpointing, True}):
                    for micro in _micro_batches(config, runtime, workers):
                        if not (offload and stage == 0):
                            changed = {
                                "workers": workers, "offload": offload, "zero_stage": stage, "micro_batch": micro,
                                "gradient_checkpointing": checkpointing,
                            }  # fmt: skip
                            yield runtime.model_copy(update=changed)


def _worker_counts(config: AnnealConfig, runtime: AnnealRuntime) -> list[int]:
    """Return the numbers of GPUs to try: as declared, and doubled as often as the global batch divides over them."""
    if not runtime.use_gpu:
        return [runtime.workers]  # more processes share the same memory
    doublings = range(int(math.log2(config.global_batch / runtime.workers)) + 1)
    counts = [runtime.workers * 2**n for n in doublings]
    return [count for count in counts if config.global_batch % count == 0]


def _micro_batches(config: AnnealConfig, runtime: AnnealRuntime, workers: int) -> list[int]:
    each = config.global_batch // workers
    largest = min(each, runtime.micro_batch or each)
    return [micro for micro in range(largest, 0, -1) if each % micro == 0]

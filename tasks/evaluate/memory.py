"""The memory that scoring one model with transformers needs, before anything is loaded. Pure arithmetic.

The driver computes a batch's logits a gigabyte of float32 at a time, so what is left to reckon are the weights and the
cache of keys and values of a batch at its longest: a few-shot prompt and an answer up to its limit, in every row.
"""

from __future__ import annotations

from tasks.core.memory import Memory, ModelShape
from tasks.evaluate.config import EvaluateConfig, EvaluateRuntime

#: Logits that `driver.model` computes at once, and positions on a CPU; the model's own, in float32, and their softmax.
_LOGITS, _CPU_POSITIONS, _COPIES = 2**28, 2048, 3
#: Tokens of a few-shot prompt, and of an answer where a benchmark leaves its limit to OpenCompass.
_PROMPT, _ANSWER = 1024, 512


def scoring_memory(
    shape: ModelShape, config: EvaluateConfig, runtime: EvaluateRuntime, *, longest: int | None, gpu: bool
) -> Memory:
    """Return the bytes that one driver needs at most.

    Args:
        longest: the most tokens that an answer may have; None where that is OpenCompass's to say.
        gpu: whether it computes on one.
    """
    limits = [_PROMPT + (longest or _ANSWER), config.max_context, shape.positions]
    context = min(limit for limit in limits if limit is not None)
    positions = max(1, _LOGITS // shape.vocabulary)
    positions = positions if gpu else min(positions, _CPU_POSITIONS)
    return Memory(
        parts={
            "weights": shape.weight_bytes(config.dtype),
            "cache": shape.cache_bytes(runtime.batch_size * context, config.dtype),
            "logits": _COPIES * 4 * positions * shape.vocabulary,
        }
    )

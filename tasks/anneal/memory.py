"""The memory that one worker of an anneal needs at its peak, before anything is loaded. Pure arithmetic.

Model states follow what DeepSpeed holds under the configuration that `deepspeed_config` writes (Rajbhandari et al.
2020, arXiv:1910.02054, section 3, with float32 gradients). N parameters of d bytes over W workers:

::

    stage      weights    gradients      optimiser: float32 weights, two moments
    0          d N        4 N            8 N (the weights are the float32 ones)
    1          d N        4 N            12 N / W
    2          d N        (d + 4) N / W  12 N / W     the reduced ones, and their float32 sum
    3          d N / W    4 N / W        12 N / W     and what is gathered of the weights

With offload, the optimiser and (from stage 2 on) the gradients it reads are in the host's memory. Activations are what
transformers' decoder layers keep for the backward pass (as Korthikanti et al. 2022, arXiv:2205.05198, section 4.1, but
counted for gated MLPs, norms in float32 and documents kept apart by a mask); with gradient checkpointing, a layer's
input and one whole layer. The loss is taken in float32. All of it is added up, though not all is there at once.

A test compares the states with DeepSpeed's own estimators and the activations with what torch keeps;
``tests/benchmarks/memory.py`` compares both with a step's real peak.
"""

from __future__ import annotations

from tasks.anneal.config import AnnealConfig, AnnealRuntime, micro_batch
from tasks.anneal.deepspeed_config import BUCKET, LIVE_PARAMETERS
from tasks.core.memory import BYTES, Memory, ModelShape

#: Bytes a word of the vocabulary at the loss: its log-probability and two gradients, all in float32.
_LOSS = 12


def training_memory(shape: ModelShape, config: AnnealConfig, runtime: AnnealRuntime) -> Memory:
    """Return the bytes that one worker needs at the peak of a step.

    Raises:
        StudyError: if the global batch does not divide over the workers.
    """
    parts = _states(shape, config, runtime)
    host = 0
    if runtime.offload:
        moved = ("optimiser", "gradients") if _stage(config, runtime) >= 2 else ("optimiser",)
        host = sum(parts.pop(name) for name in moved)
    tokens = micro_batch(config, runtime) * config.sequence_length
    return Memory(parts={**parts, **_activations(shape, config, runtime, tokens)}, host=host)


def _stage(config: AnnealConfig, runtime: AnnealRuntime) -> int:
    return max(runtime.zero_stage, 1) if config.dtype == "bfloat16" else runtime.zero_stage


def _states(shape: ModelShape, config: AnnealConfig, runtime: AnnealRuntime) -> dict[str, int]:
    count, size, workers, stage = shape.parameters, BYTES[config.dtype], runtime.workers, _stage(config, runtime)
    share = count / workers
    gathered = size * (min(count, LIVE_PARAMETERS) + min(count, BUCKET)) if stage == 3 else 0
    reduced = size * BUCKET * (2 if runtime.use_gpu else 1) if stage else 0  # two where they overlap
    return {
        "weights": int(size * (share if stage == 3 else count)),
        "gradients": int({0: 4 * count, 1: 4 * count, 2: (size + 4) * share, 3: 4 * share}[stage]),
        "optimiser": int(12 * share if stage else 8 * count),
        "buffers": int(gathered + reduced),
    }


def _activations(shape: ModelShape, config: AnnealConfig, runtime: AnnealRuntime, tokens: int) -> dict[str, int]:
    size, layer, loss = BYTES[config.dtype], layer_bytes(shape, config), _LOSS * shape.vocabulary
    if not runtime.gradient_checkpointing:
        return {"activations": tokens * shape.layers * layer, "logits": tokens * loss}
    # The logits are gone when the first layer is computed again.
    inputs = tokens * shape.layers * size * shape.hidden
    return {"activations": inputs + tokens * max(0, layer - loss), "logits": tokens * loss}


def layer_bytes(shape: ModelShape, config: AnnealConfig) -> int:
    """Return the bytes that one decoder layer keeps of one token for its backward pass."""
    size = BYTES[config.dtype]
    norms = 2 * (4 + size) * shape.hidden
    inputs = 2 * size * shape.hidden
    attention = 4 * size * shape.head_width
    if config.attention == "eager":  # the scores' softmax in float32, and as it is multiplied
        scores = (4 if size == 4 else 4 + size) * shape.heads * config.sequence_length
    else:  # the mask, as numbers
        scores = 4 * shape.heads + size * config.sequence_length
    return norms + inputs + attention + scores + 4 * size * shape.mlp_width

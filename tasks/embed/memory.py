"""The memory that an encoder needs, before anything is loaded. Pure arithmetic.

Of a batch at its longest, one layer's numbers are held at a time. How many these are a token was measured on BERT of
several widths on a CPU (10 hidden widths and 2.2 of the MLP's, 2026-11-22); torch's attention keeps no scores.
"""

from __future__ import annotations

from tasks.core.memory import BYTES, Memory, ModelShape
from tasks.embed.config import EmbedConfig, EmbedRuntime

#: Numbers of one token that a layer holds at its peak, in hidden widths and in the MLP's: an MLP may have a gate.
_HIDDEN, _MLP = 10, 3


def encoding_memory(shape: ModelShape, config: EmbedConfig, runtime: EmbedRuntime) -> Memory:
    """Return the bytes that one process of an encoder needs at most."""
    tokens = runtime.batch_size * config.max_tokens
    return Memory(
        parts={
            "weights": shape.weight_bytes(config.dtype),
            "activations": tokens * BYTES[config.dtype] * (_HIDDEN * shape.hidden + _MLP * shape.mlp_width),
        }
    )

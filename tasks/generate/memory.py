"""The memory that one vLLM engine needs on each of its devices, before anything is loaded. Pure arithmetic.

An engine holds its share of the weights and what one pass computes in; all that is left of its part of the device is
the cache of keys and values, of which one request of the whole context must fit (Kwon et al. 2023, arXiv:2309.06180).
Tensor parallelism splits weights, cache and logits.
"""

from __future__ import annotations

from tasks.core.memory import BYTES, GIB, Memory, ModelShape
from tasks.generate.config import Teacher

#: vLLM's own for offline use on a large GPU: tokens of one pass, and requests in it (`EngineArgs.get_batch_defaults`).
_PASS_TOKENS, _PASS_REQUESTS = 16_384, 1024
#: The cache of an engine on a CPU, as `vllm_engine` sets it where nobody else does.
CPU_CACHE = GIB
#: Engines of more GPUs than a machine has are for those who know why.
TENSOR_PARALLEL = (1, 2, 4, 8)


def serving_memory(shape: ModelShape, teacher: Teacher, tensor_parallel: int) -> Memory:
    """Return the bytes that an engine needs on each of `tensor_parallel` GPUs, its cache just large enough for one
    request of the whole context."""
    size = BYTES[teacher.dtype]
    width = 4 * shape.hidden + 2 * (shape.head_width + 2 * shape.mlp_width) // tensor_parallel
    parts = {
        "weights": shape.weight_bytes(teacher.dtype) // tensor_parallel,
        "cache of one request": shape.cache_bytes(context(shape, teacher), teacher.dtype) // tensor_parallel,
        "activations": _PASS_TOKENS * size * width,
        "logits": _PASS_REQUESTS * (size + 4) * shape.vocabulary,
    }
    return Memory(parts=parts)


def host_memory(shape: ModelShape, teacher: Teacher) -> Memory:
    """Return the bytes that an engine takes of a host without a GPU: there its cache is of one size, whatever fits."""
    return Memory(parts={"weights": shape.weight_bytes(teacher.dtype), "cache": CPU_CACHE})


def context(shape: ModelShape, teacher: Teacher) -> int:
    """Return the tokens of a request's whole context: as declared, or the model's own."""
    return teacher.max_model_len or shape.positions or 2048


def requests_at_once(shape: ModelShape, teacher: Teacher, tensor_parallel: int, device: int) -> float:
    """Return how many requests of the whole context the cache holds, where an engine may take `device` bytes of each
    device; below 1, it cannot start."""
    needed = serving_memory(shape, teacher, tensor_parallel).parts
    one = needed["cache of one request"]
    return (device - sum(needed.values()) + one) / one


def fitting(shape: ModelShape, teacher: Teacher, device: int) -> int | None:
    """Return the fewest GPUs over which the engine can be split so that it starts; None where it never does."""
    return next(
        (
            count
            for count in TENSOR_PARALLEL
            if shape.heads % count == 0 and serving_memory(shape, teacher, count).device <= device
        ),
        None,
    )

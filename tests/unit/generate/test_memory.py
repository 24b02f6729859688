"""The memory of a vLLM engine."""

import pytest

from tasks.core.memory import GIB, ModelShape
from tasks.generate.config import Teacher
from tasks.generate.memory import context, fitting, requests_at_once, serving_memory

#: QwQ-32B.
LARGE = ModelShape(
    parameters=32_763_876_352, active_parameters=31_985_308_672, largest_module=778_567_680, layers=64, hidden=5120,
    heads=40, head_width=5120, mlp_width=27648, cache_width=2048, vocabulary=152_064, positions=40_960,
)  # fmt: skip


def teacher(**changes):
    return Teacher(path="qwq", **{"max_model_len": 32_768} | changes)


def test_weights_and_cache_are_what_a_card_says():
    """65.5 GB of weights in bfloat16; 2 x 64 layers x 8 heads x 128 x 2 bytes = 256 KiB of cache a token."""
    parts = serving_memory(LARGE, teacher(), 1).parts
    assert parts["weights"] == 2 * 32_763_876_352
    assert parts["cache of one request"] == 32_768 * 256 * 1024


def test_tensor_parallelism_splits_weights_and_cache():
    one, four = (serving_memory(LARGE, teacher(), count).parts for count in (1, 4))
    for name in ("weights", "cache of one request"):
        assert four[name] == one[name] // 4


def test_the_fewest_gpus_that_are_enough():
    eighty = int(0.9 * 80 * GIB)
    assert fitting(LARGE, teacher(), eighty) == 2
    assert fitting(LARGE, teacher(), int(0.9 * 141 * GIB)) == 1
    assert fitting(LARGE, teacher(), 8 * GIB) is None
    assert requests_at_once(LARGE, teacher(), 2, eighty) > 1
    assert requests_at_once(LARGE, teacher(), 1, eighty) < 1


def test_a_quantised_model_is_smaller():
    eight = LARGE.model_copy(update={"weight_bits": 8})
    assert eight.weight_bytes("bfloat16") == LARGE.parameters
    assert fitting(eight, teacher(), int(0.9 * 80 * GIB)) == 1


@pytest.mark.parametrize(("declared", "tokens"), [(None, 40_960), (8192, 8192)])
def test_the_context_is_declared_or_the_models_own(declared, tokens):
    assert context(LARGE, teacher(max_model_len=declared)) == tokens

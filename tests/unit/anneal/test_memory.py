"""The memory of an anneal: arithmetic that DeepSpeed's published estimators and a mind can follow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.anneal.config import AnnealConfig, AnnealRuntime
from tasks.anneal.memory import layer_bytes, training_memory
from tasks.anneal.placement import fitting
from tasks.core.memory import GIB, ModelShape

#: Qwen2.5-3B, as `model_shape.read_shape` finds it (tests/flows/test_memory.py).
SMALL = ModelShape(
    parameters=3_085_938_688, active_parameters=3_085_938_688, largest_module=311_164_928, layers=36, hidden=2048,
    heads=16, head_width=2048, mlp_width=11008, cache_width=512, vocabulary=151_936, positions=32_768,
)  # fmt: skip
#: QwQ-32B.
LARGE = ModelShape(
    parameters=32_763_876_352, active_parameters=31_985_308_672, largest_module=778_567_680, layers=64, hidden=5120,
    heads=40, head_width=5120, mlp_width=27648, cache_width=2048, vocabulary=152_064, positions=40_960,
)  # fmt: skip
STATES = ("weights", "gradients", "optimiser")


def states(memory):
    return sum(memory.parts.get(name, 0) for name in STATES)


def runtime(**changes):
    return AnnealRuntime(**{"workers": 8, "use_gpu": True, "micro_batch": 1} | changes)


@pytest.mark.parametrize("shape", [SMALL, LARGE])
@pytest.mark.parametrize("workers", [1, 8, 64])
def test_model_states_are_deepspeeds_own_figures(shape, workers):
    """`estimate_zero2_` and `estimate_zero3_model_states_mem_needs` of DeepSpeed 0.19.8, without offload: 2 N + 18 N/W
    and, largest layer apart, 18 N/W."""
    config = AnnealConfig()
    two = training_memory(shape, config, runtime(workers=workers, zero_stage=2))
    three = training_memory(shape, config, runtime(workers=workers, zero_stage=3))
    assert states(two) == pytest.approx(2 * shape.parameters + 18 * shape.parameters / workers, rel=1e-6)
    assert states(three) == pytest.approx(18 * shape.parameters / workers, rel=1e-6)


def test_offload_moves_what_the_estimators_move():
    """Stage 2: weights alone stay. Stage 3, weights not offloaded: 2 N/W stay and 16 N/W go to the host."""
    count, config = SMALL.parameters, AnnealConfig()
    two = training_memory(SMALL, config, runtime(zero_stage=2, offload=True))
    three = training_memory(SMALL, config, runtime(zero_stage=3, offload=True))
    assert states(two) == 2 * count
    assert states(three) == pytest.approx(2 * count / 8, rel=1e-6)
    assert three.host == pytest.approx(16 * count / 8, rel=1e-6)
    assert two.host >= 16 * count / 8


def test_without_zero_each_worker_holds_everything():
    config = AnnealConfig(dtype="float32")
    alone = training_memory(SMALL, config, runtime(zero_stage=0))
    assert states(alone) == 16 * SMALL.parameters
    assert training_memory(SMALL, config, runtime(zero_stage=0, workers=1)).parts == alone.parts


def test_a_bfloat16_run_without_zero_is_a_stage_one_run():
    zero, one = (training_memory(SMALL, AnnealConfig(), runtime(zero_stage=stage)) for stage in (0, 1))
    assert zero == one


def test_the_logits_of_a_large_vocabulary_are_counted():
    """4,096 tokens x 151,936 words x 12 bytes."""
    parts = training_memory(SMALL, AnnealConfig(), runtime()).parts
    assert parts["logits"] == 4096 * 151_936 * 12


def test_eager_attention_keeps_the_scores():
    longer = AnnealConfig(attention="eager", sequence_length=8192)
    shorter = AnnealConfig(attention="eager", sequence_length=4096)
    assert layer_bytes(SMALL, longer) - layer_bytes(SMALL, shorter) == 6 * SMALL.heads * 4096


@given(
    stage=st.sampled_from([1, 2, 3]),
    workers=st.sampled_from([1, 2, 4, 8]),
    micro=st.sampled_from([1, 2, 4]),
    offload=st.booleans(),
    checkpointing=st.booleans(),
)
def test_nothing_that_saves_memory_costs_any(stage, workers, micro, offload, checkpointing):
    config = AnnealConfig(global_batch=64)

    def needed(**changes):
        given = {
            "workers": workers, "zero_stage": stage, "micro_batch": micro, "offload": offload,
            "gradient_checkpointing": checkpointing,
        }  # fmt: skip
        return training_memory(LARGE, config, runtime(**given | changes)).device

    now = needed()
    assert needed(micro_batch=2 * micro) > now
    assert needed(gradient_checkpointing=True) <= now <= needed(gradient_checkpointing=False)
    assert needed(offload=True) <= now <= needed(offload=False)
    assert needed(workers=2 * workers) <= now


def test_a_model_that_fits_stays_as_it_is():
    here = runtime(zero_stage=1)
    assert fitting(SMALL, AnnealConfig(), here, 200 * GIB, None) == here


def test_the_nearest_change_comes_first():
    config = AnnealConfig(global_batch=64)
    declared = runtime(micro_batch=8, zero_stage=1)
    found = fitting(SMALL, config, declared, 72 * GIB, 200 * GIB)
    assert found is not None
    assert (found.workers, found.offload, found.gradient_checkpointing) == (8, False, False)
    assert found.micro_batch < 8
    assert training_memory(SMALL, config, found).device <= 72 * GIB


def test_a_large_model_needs_its_states_sharded():
    found = fitting(LARGE, AnnealConfig(global_batch=64), runtime(zero_stage=1), 72 * GIB, None)
    assert found is not None and found.zero_stage == 3 and not found.offload
    assert training_memory(LARGE, AnnealConfig(global_batch=64), found).device <= 72 * GIB


def test_offload_comes_before_more_workers_and_needs_a_host():
    config = AnnealConfig(global_batch=64)
    alone = runtime(workers=1, zero_stage=1)
    with_host = fitting(SMALL, config, alone, 22 * GIB, 100 * GIB)
    assert with_host is not None and (with_host.workers, with_host.offload) == (1, True)
    without = fitting(SMALL, config, alone, 22 * GIB, None)
    assert without is not None and without.workers > 1 and not without.offload


def test_what_fits_nowhere_is_none():
    assert fitting(LARGE, AnnealConfig(global_batch=8), runtime(), 4 * GIB, 8 * GIB) is None

"""The DeepSpeed configuration, in full."""

import pytest

from tasks.anneal.config import AnnealConfig, AnnealRuntime
from tasks.anneal.deepspeed_config import deepspeed_config


def test_the_whole_of_a_small_one():
    config = AnnealConfig(global_batch=8, dtype="float32", clip=0.5)
    assert deepspeed_config(config, AnnealRuntime(zero_stage=0, micro_batch=2)) == {
        "train_batch_size": 8,
        "train_micro_batch_size_per_gpu": 2,
        "gradient_accumulation_steps": 4,
        "gradient_clipping": 0.5,
        "bf16": {"enabled": False},
        "communication_data_type": "fp32",
        "zero_optimization": {"stage": 0},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 1_000_000_000,
        "wall_clock_breakdown": False,
    }


def test_the_whole_of_a_large_one():
    config = AnnealConfig(global_batch=64)
    runtime = AnnealRuntime(workers=8, use_gpu=True, zero_stage=3, offload=True, micro_batch=4)
    assert deepspeed_config(config, runtime) == {
        "train_batch_size": 64,
        "train_micro_batch_size_per_gpu": 4,
        "gradient_accumulation_steps": 2,
        "gradient_clipping": 1.0,
        "bf16": {"enabled": True},
        "data_types": {"grad_accum_dtype": "fp32"},
        "communication_data_type": "fp32",
        "zero_optimization": {
            "stage": 3,
            "overlap_comm": True,
            "contiguous_gradients": True,
            "reduce_bucket_size": 50_000_000,
            "allgather_bucket_size": 50_000_000,
            "round_robin_gradients": False,
            "stage3_gather_16bit_weights_on_model_save": True,
            "stage3_prefetch_bucket_size": 50_000_000,
            "stage3_param_persistence_threshold": 100_000,
            "stage3_max_live_parameters": 1_000_000_000,
            "offload_optimizer": {"device": "cpu", "pin_memory": True},
        },
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 1_000_000_000,
        "wall_clock_breakdown": False,
    }


@pytest.mark.parametrize(("dtype", "asked", "got"), [("bfloat16", 0, 1), ("bfloat16", 2, 2), ("float32", 0, 0)])
def test_bfloat16_is_never_without_zero(dtype, asked, got):
    config = AnnealConfig(dtype=dtype)
    assert deepspeed_config(config, AnnealRuntime(zero_stage=asked))["zero_optimization"]["stage"] == got

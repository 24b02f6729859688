"""The DeepSpeed configuration that an anneal generates: pure, and written out in full, nothing left on ``auto``.

The optimiser is not in it: the trainer hands DeepSpeed a `torch.optim.AdamW` of its own, which spares the just-in-time
build of DeepSpeed's and keeps weight decay off biases and norms. Gradients are reduced in float32, so that the number
of workers changes a bfloat16 run as little as it can. For the same reason a bfloat16 run without ZeRO is a ZeRO-1 run:
DeepSpeed's bfloat16 optimiser outside ZeRO accumulates gradients in bfloat16, and its losses drift from those of
stages 1 to 3.
"""

from __future__ import annotations

from typing import Any

from tasks.anneal.config import AnnealConfig, AnnealRuntime, accumulation, micro_batch

#: Numbers that are reduced or gathered at once.
BUCKET = 50_000_000
#: Parameters that ZeRO-3 keeps gathered at most.
LIVE_PARAMETERS = 1_000_000_000


def deepspeed_config(config: AnnealConfig, runtime: AnnealRuntime) -> dict[str, Any]:
    """Return the dictionary for ``deepspeed.initialize``.

    Raises:
        StudyError: if the global batch does not divide over workers and micro-batches.
    """
    half = config.dtype == "bfloat16"
    stage = max(runtime.zero_stage, 1) if half else runtime.zero_stage
    result: dict[str, Any] = {
        "train_batch_size": config.global_batch,
        "train_micro_batch_size_per_gpu": micro_batch(config, runtime),
        "gradient_accumulation_steps": accumulation(config, runtime),
        "gradient_clipping": config.clip,
        "bf16": {"enabled": half},
        "communication_data_type": "fp32",
        "zero_optimization": _zero(runtime, stage),
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 1_000_000_000,
        "wall_clock_breakdown": False,
    }
    if half:
        result["data_types"] = {"grad_accum_dtype": "fp32"}
    return result


def _zero(runtime: AnnealRuntime, stage: int) -> dict[str, Any]:
    zero: dict[str, Any] = {"stage": stage}
    if stage:
        zero |= {"overlap_comm": runtime.use_gpu, "contiguous_gradients": True}
        zero |= {"reduce_bucket_size": BUCKET, "allgather_bucket_size": BUCKET, "round_robin_gradients": False}
    if stage == 3:
        zero |= {"stage3_gather_16bit_weights_on_model_save": True, "stage3_prefetch_bucket_size": BUCKET}
        zero |= {"stage3_param_persistence_threshold": 100_000, "stage3_max_live_parameters": LIVE_PARAMETERS}
    if runtime.offload:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": runtime.use_gpu}
    return zero

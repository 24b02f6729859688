"""A model's files and parameters: loading the base, drawing random weights, saving what vLLM reads.

The saved folder holds safetensors in the job's dtype, ``config.json`` and the base's own tokenizer files, byte for
byte.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.anneal.config import AnnealJob
from tasks.anneal.flops import active_parameters
from tasks.core.checkpoint import TOKENIZER_FILES
from tasks.core.errors import EngineError

_BESIDE = ("chat_template*", "generation_config.json", "LICENSE*")


def load(job: AnnealJob, scratch: Path, rank: int) -> Any:
    """Return the base model in the job's dtype; under ZeRO-3 each process holds its share.

    Raises:
        EngineError: if the base folder cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM

    folder = job.base
    if job.config.initialise == "random":
        folder = _random_weights(job, scratch, rank)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, job.config.dtype),
            attn_implementation=job.config.attention,
            local_files_only=True,
            use_safetensors=True,
        )
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            f"{job.name!r}: the base model {folder} cannot be loaded: {error}",
            remedy="give a folder with config.json and *.safetensors; for a new model, initialise: random",
        ) from error
    model.config.use_cache = False  # with a cache, transformers does not look for document borders
    model.train()
    return model


def _random_weights(job: AnnealJob, scratch: Path, rank: int) -> Path:
    """Write weights drawn with the job's seed, once, and return their folder.

    They go through a file so that every ZeRO stage and number of workers starts from the same ones.
    """
    import torch
    import torch.distributed as dist
    from transformers import AutoConfig, AutoModelForCausalLM, set_seed
    from transformers.integrations import deepspeed as integration

    folder, staged = scratch / "initial", scratch / ".initial"
    if rank == 0 and not folder.exists():
        shutil.rmtree(staged, ignore_errors=True)
        held = integration._hf_deepspeed_config_weak_ref
        integration.unset_hf_deepspeed_config()  # drawn whole, even where ZeRO-3 would shard it
        set_seed(job.seed)
        config = AutoConfig.from_pretrained(job.base, local_files_only=True)
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(staged)
        integration._hf_deepspeed_config_weak_ref = held
        staged.rename(folder)
    if dist.is_initialized() and dist.get_world_size() > 1:
        dist.barrier()
    return folder


def save(job: AnnealJob, model: Any, state: Mapping[str, Any] | None, output: Path) -> None:
    """Write the model and its tokenizer to `output`, where `state` holds all weights (rank 0)."""
    import torch

    if state is None:
        return
    dtype = getattr(torch, job.config.dtype)
    cast = {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}
    model.config.use_cache = True  # the Trainer turned it off
    model.save_pretrained(output, state_dict=cast)
    for pattern in (*TOKENIZER_FILES, *_BESIDE):
        for file in sorted(job.base.glob(pattern)):
            shutil.copy(file, output / file.name)
    if job.template_text is not None:
        (output / "chat_template.jinja").write_text(job.template_text, encoding="utf-8")


def parameters(model: Any) -> int:
    """Return the parameters that one token meets; see `tasks.anneal.flops.active_parameters`."""
    counts = {"embedding": 0, "experts": 0, "other": 0}
    embedding = model.get_input_embeddings().weight
    for name, parameter in model.named_parameters():
        routed = ".experts." in name
        kind = "embedding" if parameter is embedding else "experts" if routed else "other"
        counts[kind] += getattr(parameter, "ds_numel", parameter.numel())
    config = model.config
    experts = int(getattr(config, "n_routed_experts", None) or getattr(config, "num_experts", None) or 0)
    used = int(getattr(config, "num_experts_per_tok", None) or 0)
    return active_parameters(counts, experts, used, bool(config.tie_word_embeddings))


def padding_id(config: Any) -> int:
    """Return a token to pad with; no loss is taken on it and nothing attends to it."""
    for name in ("pad_token_id", "eos_token_id"):
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value
    return 0


def random_state() -> dict[str, Any]:
    """Return the state of every random number generator that a step may draw from."""
    import numpy as np
    import torch

    state = {"python": random.getstate(), "numpy": np.random.get_state(), "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Put back what `random_state` returned."""
    import numpy as np
    import torch

    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])

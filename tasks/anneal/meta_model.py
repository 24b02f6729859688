"""The adapter to `transformers` that counts a model's parameters from its ``config.json`` alone, on the meta device.

The model is built with all its modules and not one weight, so what is counted is what would be trained, whatever the
architecture. Nothing is read but the config; code that comes with a model is never run.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tasks.anneal.model_shape import Counts
from tasks.core.errors import StudyError


def build(folder: Path, names: Iterable[str]) -> tuple[dict[str, Any], Counts]:
    """Return what a config says by these names, under whatever names it says it, and the parameters of its model.

    Raises:
        StudyError: if this version of transformers cannot build it.
    """
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with init_empty_weights(include_buffers=True):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise StudyError(
            f"{folder}: transformers cannot build a model from its config: {error}",
            remedy="give a folder with the config.json of a causal language model that transformers knows",
        ) from error
    text = config.get_text_config()
    said = {name: value for name in names if (value := getattr(text, name, None)) is not None}
    asked = said.get("quantization_config")
    if asked is not None and not isinstance(asked, dict):
        said["quantization_config"] = asked.to_dict()
    return said, _counts(model)


def _counts(model: Any) -> Counts:
    embedding = model.get_input_embeddings().weight
    experts = sum(parameter.numel() for name, parameter in model.named_parameters() if ".experts." in name)
    return Counts(
        embedding=embedding.numel(),
        experts=experts,
        other=sum(parameter.numel() for parameter in model.parameters()) - embedding.numel() - experts,
        largest=max(sum(p.numel() for p in module.parameters(recurse=False)) for module in model.modules()),
        tied=model.get_output_embeddings().weight is embedding,
    )

"""A model's shape, told without loading it: its sizes from ``config.json``, its parameters from its weights' headers.

A header names every tensor with its sizes, so the count is exact and takes no engine. Where there are no weights (a
config alone), or they are quantised, the model is built on torch's meta device instead, which takes transformers some
seconds to be imported.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tasks.anneal.flops import active_parameters
from tasks.core.memory import ModelShape

_NEEDED = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
_USED = (
    *_NEEDED, "head_dim", "intermediate_size", "n_inner", "num_key_value_heads", "max_position_embeddings",
    "num_experts_per_tok", "moe_intermediate_size", "n_routed_experts", "num_experts", "num_local_experts",
    "n_shared_experts", "kv_lora_rank", "qk_rope_head_dim", "quantization_config",
)  # fmt: skip
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight")
_HEADS = ("lm_head.weight", "embed_out.weight")
#: Bits of a weight by the name of a quantisation that does not say them itself.
_BITS = {"fp8": 8, "fbgemm_fp8": 8, "awq": 4, "gptq": 4, "mxfp4": 4.25}


@dataclass(frozen=True)
class Counts:
    """A model's parameters: of the input embedding, of all routed experts, all others; and of the largest module.

    Attributes:
        tied: whether the input embedding is the output's too.
    """

    embedding: int
    experts: int
    other: int
    largest: int
    tied: bool


@cache
def read_shape(folder: Path) -> ModelShape:
    """Return the shape of the model whose ``config.json`` is in `folder`.

    Raises:
        StudyError: if there are no weights, and this version of transformers cannot build it.
    """
    said = _said(folder / "config.json")
    counts = counted(folder) if all(name in said for name in _NEEDED) and not said.get("quantization_config") else None
    if counts is None:
        from tasks.anneal.meta_model import build

        said, counts = build(folder, _USED)
    return _shape(said, counts)


def counted(folder: Path) -> Counts | None:
    """Return the parameters of a folder's weights, by their files' headers; None where they are not all there."""
    sizes: dict[str, int] = {}
    for path in _weights(folder):
        header = _header(path)
        if header is None:
            return None
        sizes |= {name: math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    embeddings = [name for name in sizes if name.endswith(_EMBEDDINGS)]
    if len(embeddings) != 1:
        return None
    experts = sum(size for name, size in sizes.items() if ".experts." in name)
    return Counts(
        embedding=sizes[embeddings[0]],
        experts=experts,
        other=sum(sizes.values()) - sizes[embeddings[0]] - experts,
        largest=max(sizes.values()),
        tied=not any(name.endswith(_HEADS) for name in sizes),
    )


def _said(path: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {**said, **said.get("text_config", {})}


def _weights(folder: Path) -> list[Path]:
    """Return the files of a folder's weights: those that its index names, else all."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        return sorted({folder / name for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    return sorted(folder.glob("model*.safetensors"))


def _header(path: Path) -> dict[str, Any] | None:
    """Return the header of a safetensors file: a length of eight bytes, then JSON. None where that is not whole."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if length < path.stat().st_size else b""
    try:
        header = json.loads(text)
    except ValueError:  # no weights; the anneal itself will say so, where it reads them
        return None
    return header if isinstance(header, dict) else None


def _shape(said: Mapping[str, Any], counts: Counts) -> ModelShape:
    heads, hidden = int(said["num_attention_heads"]), int(said["hidden_size"])
    head = int(said.get("head_dim") or hidden // heads)
    experts = int(said.get("n_routed_experts") or said.get("num_experts") or said.get("num_local_experts") or 0)
    by_kind = {"embedding": counts.embedding, "experts": counts.experts, "other": counts.other}
    used = int(said.get("num_experts_per_tok") or 0)
    return ModelShape(
        parameters=sum(by_kind.values()),
        active_parameters=active_parameters(by_kind, experts, used, counts.tied),
        largest_module=counts.largest,
        layers=int(said["num_hidden_layers"]),
        hidden=hidden,
        heads=heads,
        head_width=heads * head,
        mlp_width=_mlp_width(said, hidden, used),
        cache_width=_cache_width(said, heads, head),
        vocabulary=int(said["vocab_size"]),
        positions=said.get("max_position_embeddings"),
        weight_bits=_weight_bits(said.get("quantization_config")),
    )


def _mlp_width(said: Mapping[str, Any], hidden: int, used: int) -> int:
    dense = int(said.get("intermediate_size") or said.get("n_inner") or 4 * hidden)
    if not used:
        return dense
    each = int(said.get("moe_intermediate_size") or dense)
    routed = (used + int(said.get("n_shared_experts") or 0)) * each
    return max(routed, dense) if "moe_intermediate_size" in said else routed  # some have a few dense layers


def _cache_width(said: Mapping[str, Any], heads: int, head: int) -> int:
    if latent := said.get("kv_lora_rank"):  # multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1)
        return int(latent) + int(said["qk_rope_head_dim"])
    return 2 * int(said.get("num_key_value_heads") or heads) * head


def _weight_bits(asked: Mapping[str, Any] | None) -> float | None:
    if asked is None:
        return None
    return asked.get("bits") or asked.get("w_bit") or _BITS.get(str(asked.get("quant_method")))

"""Which model a study starts from, and what a tiny one is made of."""

from __future__ import annotations

import re

from pydantic import Field, model_validator

from tasks.core.identity import Frozen

#: Raised whenever the meaning of a resolved checkpoint changes.
STAGE_VERSION = 1


class ModelConfig(Frozen):
    """A base model: a local folder, or a hub id with the commit to take.

    Attributes:
        path: a folder with ``config.json``, safetensors weights and a tokenizer; relative to the study file.
        hub: a hub id (``owner/name``) instead.
        revision: the commit of the hub id.
    """

    path: str | None = None
    hub: str | None = None
    revision: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> ModelConfig:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give either `path` or `hub`")
        if self.hub and not re.fullmatch(r"[0-9a-f]{40}", self.revision or ""):
            raise ValueError("a hub id needs a `revision`: copy the commit, 40 digits, from the model's page (Files)")
        return self


class TinyConfig(Frozen):
    """A Qwen2 model small enough to train on the spot, and its byte-level BPE tokenizer.

    A head (`hidden` over `heads`) has 32 dimensions at least: vLLM's CPU build takes nothing smaller. `spread` is the
    standard deviation of the first weights; a tiny model learns sooner from a larger one than from the usual 0.02.
    """

    vocabulary: int = Field(default=512, ge=300)
    hidden: int = 128
    layers: int = 3
    heads: int = 4
    intermediate: int = 384
    positions: int = 512
    spread: float = Field(default=0.02, gt=0)

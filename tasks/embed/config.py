"""Which encoder makes the vectors and how (identity), and on what it runs (runtime)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tasks.core.identity import Frozen

STAGE = "embed"
#: Raised whenever the meaning of a vector changes.
STAGE_VERSION = 1


class EmbedConfig(Frozen):
    """How a text becomes a vector of length one.

    Attributes:
        hub: a hub id whose files are in the local cache. The default is the encoder that public code loads for
            arXiv:2510.07169's MathBERT: plain masked-language-model weights, never trained to compare texts.
        revision: the commit of the hub id; left out, the one that the cache has as ``main`` is taken, and recorded.
        path: a local folder instead of a hub id, as ``save_pretrained`` writes it.
        pooling: how token vectors become one: their mean (padding left out), the first token's, or the last's.
        max_tokens: where a text is cut.
        prompt: what is written before each text, for encoders that were trained with instructions.
        dtype: of the weights and the computation.
        stored: of the vectors on disk.
        shard_rows: rows that are committed as a whole; a kill redoes no more than these.
    """

    hub: str = "tbs17/MathBERT"
    revision: str | None = None
    path: str | None = None
    pooling: Literal["mean", "cls", "lasttoken"] = "mean"
    max_tokens: int = Field(default=512, ge=8)
    prompt: str = ""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    stored: Literal["float32", "float16"] = "float32"
    shard_rows: int = Field(default=4096, ge=1)

    @model_validator(mode="after")
    def _one_origin(self) -> EmbedConfig:
        if self.path is not None and self.model_fields_set & {"hub", "revision"}:
            raise ValueError("give either `path`, or `hub` with its `revision`")
        return self


class EmbedRuntime(Frozen):
    """On what the encoder runs; nothing here enters a key.

    Attributes:
        devices: torch devices, a process each (``cuda:0, cuda:1``, or ``cpu`` several times). Left out: the GPU where
            there is one, else the CPU, in this process.
        batch_size: texts in one forward pass.
    """

    devices: tuple[str, ...] = ()
    batch_size: int = Field(default=64, ge=1)

"""The adapter to `sentence-transformers`: any Hugging Face encoder, pooled as the config says.

The modules are put together from the config, not from what lies with the model, so that the identity says all. Texts
are sorted by length within each call, batched, cut and pooled by the library; lengths are set to one in float32 here,
since half precision is off by a thousandth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.errors import EngineError, InfrastructureError
from tasks.embed.config import EmbedConfig, EmbedRuntime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SentenceEncoder:
    """An open encoder, in this process or in one for each of its `devices` (torch's names)."""

    def __init__(self, model: Any, pool: Any, devices: tuple[str, ...], prompt: str, batch_size: int) -> None:
        self._model, self._pool, self._prompt, self._batch_size = model, pool, prompt, batch_size
        self.devices = devices

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (texts, dimension), every row of length one. See `Encoder`."""
        import numpy as np
        import torch

        try:
            found = self._model.encode(
                list(texts), prompt=self._prompt or None, batch_size=self._batch_size, pool=self._pool,
                convert_to_numpy=True, show_progress_bar=False,
            )  # fmt: skip
        except torch.OutOfMemoryError as error:
            raise EngineError(
                f"the encoder ran out of memory with {self._batch_size} texts a batch", remedy="lower `batch_size`"
            ) from error
        except (RuntimeError, IndexError, ValueError) as error:
            raise self._failure(error) from error
        vectors: NDArray[np.float32] = np.array(found, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            row = int(np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] == 0))[0])
            raise EngineError(
                f"the vector of {texts[row][:80]!r} has no direction: it is zero or not finite",
                remedy="set the encoder's dtype to float32, or look whether its weights are whole",
            )
        vectors /= lengths
        return vectors

    def _failure(self, error: Exception) -> EngineError:
        dead = [process.exitcode for process in (self._pool or {}).get("processes", ()) if not process.is_alive()]
        if dead:
            return InfrastructureError(
                f"{len(dead)} of the encoder's processes died (exit codes {dead})",
                remedy="look for the kernel's out-of-memory killer, then run again: committed shards stay",
            )
        return EngineError(f"the encoder failed: {error}", remedy="look whether its tokenizer and weights go together")


@contextmanager
def open_encoder(folder: Path, config: EmbedConfig, runtime: EmbedRuntime) -> Iterator[SentenceEncoder]:
    """Load the encoder in `folder` on the declared devices; its processes end with the block.

    Raises:
        EngineError: if its weights or tokenizer cannot be loaded, or a device is not there.
    """
    model = _load(folder, config, runtime)
    pool = model.start_multi_process_pool(list(runtime.devices)) if len(runtime.devices) > 1 else None
    try:
        devices = runtime.devices or (str(model.device),)
        yield SentenceEncoder(model, pool, devices, config.prompt, runtime.batch_size)
    finally:
        if pool is not None:
            model.stop_multi_process_pool(pool)


def _load(folder: Path, config: EmbedConfig, runtime: EmbedRuntime) -> Any:
    import torch
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    weights = {"dtype": getattr(torch, config.dtype), "use_safetensors": True}
    try:
        transformer = Transformer(
            str(folder), max_seq_length=config.max_tokens, config_kwargs=local, processor_kwargs=dict(local),
            model_kwargs=local | weights,
        )  # fmt: skip
        pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode=config.pooling)
        return SentenceTransformer(modules=[transformer, pooling], device=next(iter(runtime.devices), None))
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise EngineError(
            f"the encoder in {folder} cannot be loaded: {error}",
            remedy="give a folder as `save_pretrained` writes it, model and tokenizer, and devices that exist",
        ) from error

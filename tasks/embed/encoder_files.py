"""Where a declared encoder lies on this machine and what identifies it: a cached commit, or a folder's digest."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.core.errors import StudyError
from tasks.core.identity import Frozen, folder_digest
from tasks.embed.config import EmbedConfig

#: Modules of a sentence-transformers model that the config states itself.
_STATED = ("Transformer", "Pooling", "Normalize")


class EncoderFiles(Frozen):
    """An encoder on disk; `digest` is its commit, or the digest of its folder."""

    folder: Path
    digest: str


def find_encoder(config: EmbedConfig) -> EncoderFiles:
    """Return the declared encoder's files. Nothing is downloaded.

    Raises:
        StudyError: if it is not on this machine, has no safetensors weights, or is not what the config says it is.
    """
    if config.path is not None:
        folder = Path(config.path)
        _check(folder, config)
        return EncoderFiles(folder=folder, digest=folder_digest(folder))
    from tasks.embed.hub import cached_commit

    folder = cached_commit(config.hub, config.revision)
    _check(folder, config)
    return EncoderFiles(folder=folder, digest=folder.name)


def _check(folder: Path, config: EmbedConfig) -> None:
    missing = [name for name in ("config.json", "*.safetensors") if not any(folder.glob(name))]
    if missing:
        raise StudyError(
            f"encoder: {folder} has no {', no '.join(missing)}",
            remedy="load the model where you trust it, `save_pretrained` it with its tokenizer into a folder, and give "
            "that as `path`; only safetensors are read, since other weights can run code",
        )
    positions = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("max_position_embeddings")
    if positions and positions < config.max_tokens:
        raise StudyError(
            f"encoder.max_tokens: {config.max_tokens}, and {folder} has {positions} positions",
            remedy=f"set max_tokens to {positions} or fewer",
        )
    _check_modules(folder, config)


def _check_modules(folder: Path, config: EmbedConfig) -> None:
    """Refuse a sentence-transformers model of which this config would make something that nobody trained."""
    modules = folder / "modules.json"
    if not modules.exists():
        return
    declared = json.loads(modules.read_text(encoding="utf-8"))
    kinds = {module["type"].rpartition(".")[2]: folder / module["path"] for module in declared}
    if more := sorted(kinds.keys() - set(_STATED)):
        raise StudyError(
            f"encoder: {folder} ends in {', '.join(more)}, which would be left out",
            remedy="take an encoder of transformer, pooling and normalisation alone",
        )
    own = _own_pooling(kinds.get("Pooling"))
    if own and own != config.pooling:
        raise StudyError(
            f"encoder.pooling: {config.pooling}, and {folder} was trained with {own}",
            remedy=f"set pooling to {own}" if own in ("mean", "cls", "lasttoken") else "take another encoder",
        )


def _own_pooling(folder: Path | None) -> str | None:
    """Return the pooling that a model states, in either of the forms that sentence-transformers writes."""
    if folder is None or not (folder / "config.json").exists():
        return None
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    older = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "lasttoken": "pooling_mode_lasttoken"}
    return said.get("pooling_mode") or next((mode for mode, key in older.items() if said.get(key)), None)

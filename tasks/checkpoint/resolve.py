"""A declared base model as a folder on disk with its digests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tasks.checkpoint.config import ModelConfig
from tasks.core.checkpoint import Checkpoint, own_template, template_digest, tokenizer_digest
from tasks.core.errors import StudyError
from tasks.core.identity import folder_digest

_CONFIG = {"config.json": "config.json", "tokenizer": "tokenizer*"}
_WEIGHTS = {"safetensors weights": "*.safetensors"}


def resolve(model: ModelConfig, template: str | None = None) -> Checkpoint:
    """Return where a base model is and what identifies it.

    A hub id is its commit, so only its config and tokenizer are downloaded where they are not cached: enough to plan
    with. `fetch_weights` brings the rest into the same folder. `template` replaces the model's own chat template.

    Raises:
        StudyError: if there is no such model, or it lacks a config, a tokenizer or, as a folder, safetensors weights.
        InfrastructureError: if the hub cannot be reached.
    """
    folder = _folder(model)
    text = template if template is not None else own_template(folder)
    return Checkpoint(
        folder=folder,
        digest=model.revision or folder_digest(folder),
        tokenizer=tokenizer_digest(folder),
        template=template_digest(text),
        template_text=text,
    )


def fetch_weights(model: ModelConfig) -> None:
    """Download the weights of a hub id's commit where they are not cached; a folder has its own.

    Raises:
        StudyError: if it has no safetensors weights.
        InfrastructureError: if the hub cannot be reached.
    """
    if model.hub is not None:
        from tasks.checkpoint.hub import download

        _check("base.hub", download(model.hub, str(model.revision)), _WEIGHTS)


def _folder(model: ModelConfig) -> Path:
    if model.path is not None:
        return _check("base.path", Path(model.path), _CONFIG | _WEIGHTS)
    from tasks.checkpoint.hub import download_config

    return _check("base.hub", download_config(str(model.hub), str(model.revision)), _CONFIG)


def _check(field: str, folder: Path, wanted: Mapping[str, str]) -> Path:
    missing = [what for what, pattern in wanted.items() if not any(folder.glob(pattern))]
    if missing:
        raise StudyError(
            f"{field}: {folder} has no {', no '.join(missing)}",
            remedy="give a folder as `save_pretrained` writes it; only safetensors are read, since other weights can "
            "run code",
        )
    return folder

"""A declared base model as a folder on disk with its digests."""

from __future__ import annotations

from pathlib import Path

from tasks.checkpoint.config import ModelConfig
from tasks.core.checkpoint import Checkpoint, own_template, template_digest, tokenizer_digest
from tasks.core.errors import StudyError
from tasks.core.identity import folder_digest


def resolve(model: ModelConfig, template: str | None = None) -> Checkpoint:
    """Return where a base model is and what identifies it, downloading a hub id's commit where it is not cached.

    `template` replaces the model's own chat template.

    Raises:
        StudyError: if the folder lacks a config, a tokenizer or safetensors weights.
        InfrastructureError: if the hub cannot be reached.
    """
    folder = _folder(model)
    _check(folder)
    text = template if template is not None else own_template(folder)
    return Checkpoint(
        folder=folder,
        digest=model.revision or folder_digest(folder),
        tokenizer=tokenizer_digest(folder),
        template=template_digest(text),
        template_text=text,
    )


def _folder(model: ModelConfig) -> Path:
    if model.path is not None:
        return Path(model.path)
    from tasks.checkpoint.hub import download

    return download(str(model.hub), str(model.revision))


def _check(folder: Path) -> None:
    wanted = {"config.json": "config.json", "a tokenizer": "tokenizer*", "safetensors weights": "*.safetensors"}
    missing = [what for what, pattern in wanted.items() if not any(folder.glob(pattern))]
    if missing:
        raise StudyError(
            f"base.path: {folder} has no {', no '.join(missing)}",
            remedy="give a folder as `save_pretrained` writes it; only safetensors are read, since other weights can "
            "run code",
        )

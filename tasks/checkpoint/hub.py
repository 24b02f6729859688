"""The adapter to `huggingface_hub`: one commit of a model, on disk."""

from __future__ import annotations

from pathlib import Path

from tasks.core.errors import InfrastructureError, StudyError

#: Only files that cannot run code.
_CONFIG_FILES = ["*.json", "*.jinja", "*.model", "*.txt"]
_ALL_FILES = [*_CONFIG_FILES, "*.safetensors"]


def download_config(model: str, revision: str) -> Path:
    """Return the folder of a hub model's commit with its config and tokenizer, from the cache where they are there.

    Raises:
        StudyError: if the hub has no such model.
        InfrastructureError: if the hub cannot be reached, or has no such commit.
    """
    return _download(model, revision, _CONFIG_FILES)


def download(model: str, revision: str) -> Path:
    """Return the same folder as `download_config`, with the model's weights; it raises the same."""
    return _download(model, revision, _ALL_FILES)


def _download(model: str, revision: str, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=files))
    except RepositoryNotFoundError as error:
        raise StudyError(f"base.hub: no model {model!r}", remedy="check its id, and HF_TOKEN if it is gated") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise InfrastructureError(
            f"base.hub: {model}@{revision} cannot be downloaded: {error}",
            remedy="check the network, or download it elsewhere and give its folder as base.path",
        ) from error

"""The adapter to `huggingface_hub`: one commit of a model, on disk."""

from __future__ import annotations

from pathlib import Path

from tasks.core.errors import InfrastructureError, StudyError

_FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]


def download(model: str, revision: str) -> Path:
    """Return the folder of a hub model's commit, from the cache where it is there; only files that cannot run code.

    Raises:
        StudyError: if the hub has no such model or commit.
        InfrastructureError: if the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=_FILES))
    except RepositoryNotFoundError as error:
        raise StudyError(f"base.hub: no model {model!r}", remedy="check its id, and HF_TOKEN if it is gated") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise InfrastructureError(
            f"base.hub: {model}@{revision} cannot be downloaded: {error}",
            remedy="check the network, or download it elsewhere and give its folder as base.path",
        ) from error

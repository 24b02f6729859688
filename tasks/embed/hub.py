"""The adapter to `huggingface_hub`: a model's commit in the local cache. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

from tasks.core.errors import StudyError


def cached_commit(model: str, revision: str | None) -> Path:
    """Return the cached folder of a hub model; its name is the commit.

    Raises:
        StudyError: if the cache does not have it, or the id is none.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        at = f"@{revision}" if revision else ""
        raise StudyError(
            f"encoder.hub: {model}{at} is not in the local cache",
            remedy=f"give a local folder as `path`, or fetch it first: hf download {model}"
            + (f" --revision {revision}" if revision else ""),
        ) from error

"""A base model on disk, and what identifies its tokenizer and chat template for all stages that must agree on them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tasks.core.identity import Frozen, file_digest, fingerprint

_TOKENIZER_FILES = (
    "tokenizer*.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "added_tokens.json",
    "special_tokens_map.json",
)


class Checkpoint(Frozen):
    """A base model as it lies on disk, with the digests that everything made from it carries.

    `digest` covers the whole folder, `tokenizer` the tokenizer's files, `template` the chat template in force;
    `template_text` is that template, None where there is none.
    """

    folder: Path
    digest: str
    tokenizer: str
    template: str
    template_text: str | None


def tokenizer_digest(folder: Path) -> str:
    """Return the digest of a checkpoint's tokenizer files, by name and content."""
    files = sorted({path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern)})
    return fingerprint([[path.name, file_digest(path)] for path in files])


def template_digest(template: str | None) -> str:
    """Return the digest of a chat template, of the empty string where there is none."""
    return hashlib.sha256((template or "").encode()).hexdigest()

"""A base model on disk, and what identifies its tokenizer and chat template for all stages that must agree on them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tasks.core.digests import file_digest
from tasks.core.identity import Frozen, fingerprint

#: A tokenizer's files, as patterns; they travel with every model that is trained from it.
TOKENIZER_FILES = (
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
    files = sorted({path for pattern in TOKENIZER_FILES for path in folder.glob(pattern)})
    return fingerprint([[path.name, file_digest(path)] for path in files])


def template_digest(template: str | None) -> str:
    """Return the digest of a chat template, of the empty string where there is none."""
    return hashlib.sha256((template or "").encode()).hexdigest()


def own_template(folder: Path) -> str | None:
    """Return the chat template that lies with a model, if any; of several by name, the one called ``default``."""
    if (folder / "chat_template.jinja").exists():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    config = folder / "tokenizer_config.json"
    template = json.loads(config.read_text(encoding="utf-8")).get("chat_template") if config.exists() else None
    if isinstance(template, list):
        template = next((named["template"] for named in template if named["name"] == "default"), None)
    return template if isinstance(template, str) else None

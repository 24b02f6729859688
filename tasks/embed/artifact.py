"""What the embed stage publishes: by which keys."""

from __future__ import annotations

from tasks.core.identity import Identity
from tasks.core.store import ArtifactRef
from tasks.embed.config import STAGE, STAGE_VERSION, EmbedConfig


def embed_identity(config: EmbedConfig, rows: ArtifactRef, encoder: str) -> Identity:
    """Return the identity of the vectors of a table; `encoder` is the digest of the encoder's files.

    The device is no part of it: the same encoder's vectors differ between devices by rounding.
    """
    how = config.model_dump(exclude={"hub", "revision", "path"})
    return Identity.of(STAGE, STAGE_VERSION, how, {"rows": rows.digest, "encoder": encoder})

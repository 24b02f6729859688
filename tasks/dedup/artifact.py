"""What the dedup stage publishes: by which keys."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.core.identity import Identity
from tasks.core.store import ArtifactRef
from tasks.dedup.config import STAGE_VERSION, DedupConfig


def identity(config: DedupConfig, records: Sequence[ArtifactRef]) -> Identity:
    """Return what a deduplication is: its rule and the digests of its records, in order."""
    return Identity.of(
        "dedup", STAGE_VERSION, config, {f"records-{n:05d}": ref.digest for n, ref in enumerate(records)}
    )


def duplicates_identity(config: DedupConfig, records: Sequence[ArtifactRef]) -> Identity:
    """Return what a list of repeated rows is: its rule and the digests of its records, in order."""
    return identity(config, records).model_copy(update={"stage": "duplicates"})

"""What the retrieve stage publishes: by which keys."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.core.identity import Identity
from tasks.core.store import ArtifactRef
from tasks.retrieve.config import STAGE, STAGE_VERSION, Bm25Config, DenseConfig, NearestConfig

Pool = Mapping[str, ArtifactRef]


def dense_identity(
    config: DenseConfig, pool: Pool, pool_vectors: Pool, queries: ArtifactRef, query_vectors: ArtifactRef
) -> Identity:
    """Return the identity of a dataset that is retrieved by vectors."""
    inputs = _inputs(pool, queries) | {"query_vectors": query_vectors.digest}
    inputs |= {f"vectors:{name}": pool_vectors[name].digest for name in sorted(pool)}
    return Identity.of(STAGE, STAGE_VERSION, config, inputs)


def bm25_identity(config: Bm25Config, pool: Pool, queries: ArtifactRef) -> Identity:
    """Return the identity of a dataset that is retrieved by words."""
    return Identity.of(STAGE, STAGE_VERSION, config, _inputs(pool, queries))


def _inputs(pool: Pool, queries: ArtifactRef) -> dict[str, str]:
    return {"queries": queries.digest, **{f"pool:{name}": pool[name].digest for name in sorted(pool)}}


def matched_identity(records: ArtifactRef, found: ArtifactRef) -> Identity:
    """Return the identity of retrieved rows with what each one matched."""
    return Identity.of("matched", STAGE_VERSION, {}, {"records": records.digest, "found": found.digest})


def nearest_identity(config: NearestConfig, records: ArtifactRef, items: ArtifactRef) -> Identity:
    """Return the identity of the rows that are nearest to benchmark items."""
    return Identity.of("nearest", STAGE_VERSION, config, {"records": records.digest, "items": items.digest})

"""Retrieve: the rows of a pool that are nearest to some questions."""

from __future__ import annotations

from flows.caching import cached
from flows.failures import failures, prove_unseen
from flows.progress import CountProgress
from flows.recipes import Dataset, Failures, Retrieve
from flows.workshop import Workshop
from tasks.core.store import ArtifactRef
from tasks.embed.config import EmbedConfig
from tasks.embed.task import embed
from tasks.generate.task import release
from tasks.retrieve.artifact import bm25_identity, matched_identity
from tasks.retrieve.config import Bm25Config, DenseConfig
from tasks.retrieve.task import retrieve as retrieve_dense
from tasks.retrieve.task import retrieve_bm25, with_matches


def retrieve(shop: Workshop, recipe: Retrieve) -> ArtifactRef:
    """Return the nearest rows of the pool, each with the queries that it matched (MATCHED)."""
    found = _found(shop, recipe)
    rows = shop.clean(found, recipe.dedup, recipe.decontaminate)
    add = cached(with_matches, shop.store, [matched_identity(rows, found)])
    return add(shop.name, rows, found, shop.store.root)


def retrieved_seeds(shop: Workshop, recipe: Retrieve) -> ArtifactRef:
    """Return the nearest rows of the pool as records alone, for a recipe that starts from what they ask."""
    return shop.clean(_found(shop, recipe), recipe.dedup, recipe.decontaminate)


def seeds(shop: Workshop, declared: Dataset | Failures) -> ArtifactRef:
    """Return what a recipe starts from, as records.

    Raises:
        StudyError: if an item of a declared benchmark is among them.
    """
    if isinstance(declared, Failures):
        return failures(shop, declared)
    records = shop.read(declared)
    if shop.items is not None:
        prove_unseen(shop, records, declared.name)
    return records


def _found(shop: Workshop, recipe: Retrieve) -> ArtifactRef:
    queries = seeds(shop, recipe.queries)
    pool = {dataset.name: shop.read(dataset) for dataset in recipe.pool}
    return _search(shop, recipe, queries, pool)


def _search(shop: Workshop, recipe: Retrieve, queries: ArtifactRef, pool: dict[str, ArtifactRef]) -> ArtifactRef:
    root, runtime = shop.store.root, shop.runtime
    if isinstance(recipe.search, Bm25Config):
        search = cached(retrieve_bm25, shop.store, [bm25_identity(recipe.search, pool, queries)])
        with CountProgress("retrieve", shop.name) as progress:
            return search(shop.name, recipe.search, pool, queries, root, runtime.retrieve, report=progress)
    config: DenseConfig = recipe.search
    release()  # the encoder takes the place of the teacher that found the queries
    vectors = {name: _embedded(shop, name, recipe.embed, rows) for name, rows in pool.items()}
    asked = _embedded(shop, f"{shop.name}'s queries", recipe.embed, queries)
    with CountProgress("retrieve", shop.name) as progress:
        return retrieve_dense(shop.name, config, pool, vectors, queries, asked, root, runtime.retrieve, report=progress)


def _embedded(shop: Workshop, name: str, config: EmbedConfig, rows: ArtifactRef) -> ArtifactRef:
    with CountProgress("embed", name, rows.num_rows) as progress:
        return embed(name, config, rows, shop.store.root, shop.runtime.embed, report=progress)

"""Retrieve: the rows of a pool that are nearest to some questions."""

from __future__ import annotations

from flows.caching import cached
from flows.failures import failures, prove_unseen
from flows.recipes import Dataset, Failures, Retrieve
from flows.workshop import Workshop
from tasks.core.store import ArtifactRef
from tasks.embed.task import embed
from tasks.generate.task import release
from tasks.retrieve.config import Bm25Config, DenseConfig
from tasks.retrieve.task import bm25_identity, retrieve_bm25
from tasks.retrieve.task import retrieve as retrieve_dense


def retrieve(shop: Workshop, recipe: Retrieve) -> ArtifactRef:
    """Return the nearest rows of the pool (RECORDS); what each one matched lies beside the retrieved rows."""
    queries = seeds(shop, recipe.queries)
    pool = {dataset.name: shop.read(dataset) for dataset in recipe.pool}
    found = _search(shop, recipe, queries, pool)
    return shop.clean(found, recipe.dedup, recipe.decontaminate)


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


def _search(shop: Workshop, recipe: Retrieve, queries: ArtifactRef, pool: dict[str, ArtifactRef]) -> ArtifactRef:
    root, runtime = shop.store.root, shop.runtime
    if isinstance(recipe.search, Bm25Config):
        search = cached(retrieve_bm25, shop.store, [bm25_identity(recipe.search, pool, queries)])
        return search(shop.name, recipe.search, pool, queries, root, runtime.retrieve)
    config: DenseConfig = recipe.search
    release()  # the encoder takes the place of the teacher that found the queries
    vectors = {name: embed(name, recipe.embed, rows, root, runtime.embed) for name, rows in pool.items()}
    asked = embed(f"{shop.name}'s queries", recipe.embed, queries, root, runtime.embed)
    return retrieve_dense(shop.name, config, pool, vectors, queries, asked, root, runtime.retrieve)

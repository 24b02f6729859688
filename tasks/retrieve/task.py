"""The retrieve tasks: a pool and queries in, the rows of the pool that are nearest to them out, by vectors or words."""

from __future__ import annotations

from array import array
from pathlib import Path

from prefect import task

from tasks.core.asked import asked
from tasks.core.errors import IntegrityError, StudyError
from tasks.core.progress import Report, Tally
from tasks.core.rows import MATCHED, MATCHES, NEIGHBOURS, RECORDS, read_rows, write_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.core.vectors import vector_ids
from tasks.retrieve.artifact import Pool, bm25_identity, dense_identity, matched_identity, nearest_identity
from tasks.retrieve.config import Bm25Config, DenseConfig, NearestConfig, RetrieveRuntime, SelectConfig
from tasks.retrieve.dataset import MATCHES_FOLDER, Found, hits, matched_rows, write_dataset
from tasks.retrieve.nearest import nearest_rows
from tasks.retrieve.pool import PoolTexts, matrix, vectors_at


@task(name="retrieve", task_run_name="retrieve {name}")
def retrieve(
    name: str,
    config: DenseConfig,
    pool: dict[str, ArtifactRef],
    pool_vectors: dict[str, ArtifactRef],
    queries: ArtifactRef,
    query_vectors: ArtifactRef,
    store_root: Path,
    runtime: RetrieveRuntime | None = None,
    *,
    report: Report | None = None,
) -> ArtifactRef:
    """Publish the rows of a pool whose vectors are nearest to those of the queries, as a dataset.

    It holds RECORDS, what each row matched under ``matches/`` (MATCHES; rows in the same order, best match first), and
    under ``dropped/`` (DROPS) the rows that were left out: test splits, the queries themselves, duplicates, and what is
    over a source's cap. A row that no query is near to is no drop.

    `pool` has tables of RECORDS by source name and `pool_vectors` the vectors of each; `queries` are QUESTIONS or
    RECORDS. `report` is told how many vectors were read, over all passes that the search takes.

    Raises:
        StudyError: if a cap or a table's vectors go by a name that the pool has not.
        IntegrityError: if vectors are of other rows, or by another encoder, than they should be.
        DataError: if nothing of the pool may be found.
        EngineError: if FAISS fails, or an approximate index does not reach its recall.
        InfrastructureError: if an index does not fit into memory.
    """
    store, running = Store(store_root), runtime or RetrieveRuntime()
    check_names(pool, config.select, pool_vectors)
    check_vectors(store, [(pool[name], pool_vectors[name]) for name in sorted(pool)] + [(queries, query_vectors)])
    tables = {name: store.folder(ref) for name, ref in pool.items()}
    vectors = {name: store.folder(pool_vectors[name]) for name in pool}

    def find(positions: array[int]) -> Found:
        from tasks.retrieve.faiss import open_index

        base, asking = vectors_at(tables, vectors, positions, Tally(report)), matrix(store.folder(query_vectors))
        index = open_index(base, asking, config, running)
        found = index.search(asking, config.select.k)
        return Found(hits(vector_ids(store.folder(query_vectors)), found, base.positions), index.facts)

    def build(draft: Draft) -> None:
        draft.provenance["name"] = name
        write_dataset(tables, store.folder(queries), config.select, find, draft)
        made = {f"vectors:{name}": ref.path for name, ref in pool_vectors.items()}
        draft.sources = _paths(pool, queries) | made | {"query_vectors": query_vectors.path}

    return store.produce(dense_identity(config, pool, pool_vectors, queries, query_vectors), build)


@task(name="retrieve-bm25", task_run_name="retrieve {name} by words")
def retrieve_bm25(
    name: str,
    config: Bm25Config,
    pool: dict[str, ArtifactRef],
    queries: ArtifactRef,
    store_root: Path,
    runtime: RetrieveRuntime | None = None,
    *,
    report: Report | None = None,
) -> ArtifactRef:
    """Publish the rows of a pool that share the most telling words with the queries; else as `retrieve`.

    Raises:
        StudyError: if a cap goes by a name that the pool has not.
        DataError: if nothing of the pool may be found.
        EngineError: if bm25s fails.
        InfrastructureError: if the index does not fit into memory.
    """
    store, running = Store(store_root), runtime or RetrieveRuntime()
    check_names(pool, config.select)
    tables = {name: store.folder(ref) for name, ref in pool.items()}

    def find(positions: array[int]) -> Found:
        from tasks.retrieve.bm25s import open_index

        asking = {row["row_id"]: asked(row) for row in read_rows(store.folder(queries))}
        index = open_index(PoolTexts(tables, positions, Tally(report)), config, running)
        found = index.search(list(asking.values()), config.select.k)
        return Found(hits(asking, found, positions), index.facts)

    def build(draft: Draft) -> None:
        draft.provenance["name"] = name
        write_dataset(tables, store.folder(queries), config.select, find, draft)
        draft.sources = _paths(pool, queries)

    return store.produce(bm25_identity(config, pool, queries), build)


@task(name="matched", task_run_name="what {name} matched")
def with_matches(name: str, records: ArtifactRef, found: ArtifactRef, store_root: Path) -> ArtifactRef:
    """Publish retrieved rows with what each one matched (MATCHED).

    Args:
        name: what is retrieved, for people.
        records: rows (RECORDS) that `found` has too, in its order.
        found: what `retrieve` or `retrieve_bm25` published.

    Raises:
        IntegrityError: if `found` lacks a row, or has it in another place.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        matches = read_rows(store.folder(found) / MATCHES_FOLDER, MATCHES)
        rows = matched_rows(read_rows(store.folder(records), RECORDS), matches)
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, MATCHED), MATCHED
        draft.sources = {"records": records.path, "found": found.path}
        draft.provenance["name"] = name

    return store.produce(matched_identity(records, found), build)


@task(name="nearest", task_run_name="nearest rows of {name}")
def nearest(
    name: str,
    config: NearestConfig,
    records: ArtifactRef,
    items: ArtifactRef,
    store_root: Path,
    runtime: RetrieveRuntime | None = None,
    *,
    report: Report | None = None,
) -> ArtifactRef:
    """Publish the rows of some records that are nearest to each benchmark item (NEIGHBOURS), by shared words.

    Args:
        name: what the records are, for people.
        items: the benchmark items (ITEMS).

    Raises:
        EngineError: if bm25s fails.
        InfrastructureError: if the index does not fit into memory.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        asked_for = read_rows(store.folder(items))
        found = nearest_rows(store.folder(records), asked_for, config, runtime or RetrieveRuntime(), report=report)
        draft.num_rows, draft.columns = write_rows(draft.folder, found, NEIGHBOURS), NEIGHBOURS
        draft.sources = {"records": records.path, "items": items.path}
        draft.provenance["name"] = name

    return store.produce(nearest_identity(config, records, items), build)


def check_names(pool: Pool, config: SelectConfig, pool_vectors: Pool | None = None) -> None:
    """Check that caps and vectors are of tables that the pool has, and that every table has vectors.

    Raises:
        StudyError: naming the first that is amiss.
    """
    if unknown := sorted(config.caps.keys() - pool.keys()):
        raise StudyError(f"caps.{unknown[0]}: the pool has no such source", remedy=f"it has {', '.join(sorted(pool))}")
    if pool_vectors is not None and (amiss := sorted(pool.keys() ^ pool_vectors.keys())):
        raise StudyError(f"pool.{amiss[0]}: it has a table or vectors, not both", remedy="embed each table of the pool")


def check_vectors(store: Store, pairs: list[tuple[ArtifactRef, ArtifactRef]]) -> None:
    """Check that each table's vectors are its own, and that one encoder made them all; prompts may differ.

    Raises:
        IntegrityError: naming the vectors that do not belong.
    """
    made = [store.manifest(vectors).identity for _, vectors in pairs]
    for (rows, vectors), identity in zip(pairs, made, strict=True):
        if identity.inputs.get("rows") != rows.digest:
            raise IntegrityError(f"the vectors {vectors.path} are not of {rows.path}", remedy="embed this table")
    encoders = {(identity.inputs["encoder"], identity.config["pooling"]) for identity in made}
    if len(encoders) > 1:
        raise IntegrityError(
            "queries and pool were embedded with different encoders", remedy="embed them with the same config"
        )


def _paths(pool: Pool, queries: ArtifactRef) -> dict[str, str]:
    return {"queries": queries.path, **{f"pool:{name}": ref.path for name, ref in pool.items()}}

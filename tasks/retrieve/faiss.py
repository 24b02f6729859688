"""The adapter to FAISS: exact search by blocks, and an approximate index whose recall is measured.

Exact search is FAISS's own `knn_ground_truth`: a flat inner-product index of one block of the base at a time, merged
into a running top k. So the pool is never held, whatever its size, and one pass over it serves all queries; a flat
index of the whole pool would compute the same numbers with all of it in memory. It runs on every GPU that FAISS sees.
Approximate indexes are in memory and stay on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Any

from tasks.core.errors import EngineError, InfrastructureError
from tasks.retrieve.config import DenseConfig, HnswIndex, IvfIndex, RetrieveRuntime
from tasks.retrieve.engine import Neighbours, VectorBase
from tasks.retrieve.memory import TRAINING, budget, cells, exact_bytes, index_bytes, require
from tasks.retrieve.recall import Depth, deepen, doubled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


class ExactIndex:
    """Every vector of the base compared with every query."""

    def __init__(self, base: VectorBase, runtime: RetrieveRuntime) -> None:
        self._base, self._runtime = base, runtime
        self.facts = _facts("flat", base.rows) | {"gpus": _gpus()}

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """See `Index`.

        Raises:
            InfrastructureError: if the queries, their results and one block of the base do not fit into memory.
        """
        from faiss import METRIC_INNER_PRODUCT
        from faiss.contrib.exhaustive_search import knn_ground_truth

        needed = exact_bytes(len(queries), k, self._base.dimension)
        allowed = budget(self._runtime.memory_bytes)
        require(f"exact search for {len(queries)} queries", needed, allowed, remedy="retrieve for fewer queries a time")
        with _mapped(self._runtime.threads):
            scores, rows = knn_ground_truth(queries, self._base.blocks(), k, METRIC_INNER_PRODUCT)
        return Neighbours(rows, scores)


class ApproximateIndex:
    """An IVF or HNSW index in memory, built, and deep enough for its recall."""

    def __init__(self, index: Any, config: IvfIndex | HnswIndex, runtime: RetrieveRuntime) -> None:
        self._index, self._config, self._runtime = index, config, runtime
        self.facts = _facts(config.kind, index.ntotal)

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """See `Index`."""
        with _mapped(self._runtime.threads):
            scores, rows = self._index.search(queries, k)
        return Neighbours(rows, scores)

    def deepen(self, sample: Vectors, truth: Neighbours, least: float) -> Depth:
        """Search deeper until `least` of the sample's true neighbours are found, and stay there."""
        depths = _depths(self._index, self._config)
        found = deepen(lambda depth: self._at(depth).search(sample, truth.rows.shape[1]), truth, depths, least)
        self.facts |= {"depth": found.depth, "recall": found.recall, "recall_queries": len(sample)}
        return found

    def _at(self, depth: int) -> ApproximateIndex:
        if isinstance(self._config, IvfIndex):
            self._index.nprobe = depth
        else:
            self._index.hnsw.efSearch = depth
        return self


def open_index(
    base: VectorBase, queries: Vectors, config: DenseConfig, runtime: RetrieveRuntime
) -> ExactIndex | ApproximateIndex:
    """Return the index that the config asks for at this size; an approximate one with its recall measured.

    The recall is at the config's k, on queries taken evenly from `queries` (n, dimension).

    Raises:
        EngineError: if the recall is not reached.
        InfrastructureError: if an approximate index does not fit into memory.
    """
    exact = ExactIndex(base, runtime)
    if base.rows <= config.flat_rows:
        return exact
    index = build(base, config.index, runtime)
    sample = queries[:: ceil(len(queries) / config.recall_queries)]
    index.deepen(sample, exact.search(sample, config.select.k), config.min_recall)
    return index


def build(base: VectorBase, config: IvfIndex | HnswIndex, runtime: RetrieveRuntime) -> ApproximateIndex:
    """Return an approximate index of the whole base.

    Raises:
        InfrastructureError: if it does not fit into memory, saying by how much; nothing was built.
    """
    require(
        f"an {config.kind} index of {base.rows} x {base.dimension}",
        index_bytes(base.rows, base.dimension, config),
        budget(runtime.memory_bytes),
        remedy=f"set `flat_rows` to {base.rows} or more: exact search reads the vectors in blocks and holds none; or "
        "take a machine with more memory",
    )
    if isinstance(config, HnswIndex):
        with _mapped(1):  # with several threads the graph depends on their timing
            return ApproximateIndex(_hnsw(base, config), config, runtime)
    with _mapped(runtime.threads):
        return ApproximateIndex(_ivf(base, config), config, runtime)


def _depths(index: Any, config: IvfIndex | HnswIndex) -> Iterator[int]:
    if isinstance(config, IvfIndex):
        return doubled(config.probes, index.nlist)
    return doubled(config.search_depth, config.most_depth)


def _ivf(base: VectorBase, config: IvfIndex) -> Any:
    import faiss
    import numpy as np

    lists = cells(config, base.rows)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(base.dimension), base.dimension, lists, faiss.METRIC_INNER_PRODUCT)
    step = max(1, base.rows // (lists * TRAINING))
    sample, seen = [], 0
    for block in base.blocks():
        sample.append(block[-seen % step :: step].copy())
        seen += len(block)
    index.train(np.concatenate(sample))
    del sample
    for block in base.blocks():
        index.add(block)
    return index


def _hnsw(base: VectorBase, config: HnswIndex) -> Any:
    import faiss

    index = faiss.IndexHNSWFlat(base.dimension, config.links, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = config.build_depth
    for block in base.blocks():
        index.add(block)
    return index


def _facts(kind: str, rows: int) -> dict[str, Any]:
    import faiss

    return {"index": kind, "engine": f"faiss {faiss.__version__}", "rows": rows}


def _gpus() -> int:
    import faiss

    return int(faiss.get_num_gpus())


@contextmanager
def _mapped(threads: int | None) -> Iterator[None]:
    """Run FAISS on `threads` threads, and map its errors."""
    import faiss

    before = faiss.omp_get_max_threads()
    if threads is not None:
        faiss.omp_set_num_threads(threads)
    try:
        yield
    except MemoryError as error:
        raise InfrastructureError(
            "FAISS ran out of memory although its budget was kept", remedy="lower `memory_bytes`, or free memory"
        ) from error
    except (RuntimeError, AssertionError) as error:
        raise EngineError(f"FAISS failed: {error}", remedy="look at the vectors' dimension and number") from error
    finally:
        faiss.omp_set_num_threads(before)

"""What is retrieved and how (identity), and on what it runs (runtime).

The parameters of an approximate index are identity, since they change what is found. Threads, memory and GPU are not.
That assumes that exact search finds the same rows on all of them: true up to float32 rounding, for which scores are
compared by six decimals and ties go by row id, and that an index is built in the same way by any number of threads:
true of FAISS's IVF, and made true of HNSW by building it on one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.core.identity import Frozen

STAGE = "retrieve"
#: Raised whenever the meaning of a retrieved dataset changes.
STAGE_VERSION = 2

SourceName = Annotated[str, Field(min_length=1)]


class SelectConfig(Frozen):
    """Which of the rows that a search finds make the dataset.

    Attributes:
        k: matches a query.
        caps: the most rows that a source may give, by the pool's names; the best matches stay.
        test_splits: what may never be found, as names or shell patterns, in any case; compared with the pool's names
            and with each row's own source and the folders, file or split of its origin. By default whatever has the
            word *test* in it.
    """

    k: int = Field(default=20, ge=1)
    caps: dict[SourceName, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    test_splits: tuple[str, ...] = ("test", "test[!a-z]*", "*[!a-z]test", "*[!a-z]test[!a-z]*")


class IvfIndex(Frozen):
    """An inverted file over whole vectors (FAISS IndexIVFFlat).

    Attributes:
        lists: cells of the pool; None for 4 x the square root of its rows, as FAISS's guidelines have it.
        probes: cells searched a query, doubled until the recall is reached.
    """

    kind: Literal["ivf"] = "ivf"
    lists: int | None = Field(default=None, ge=1)
    probes: int = Field(default=16, ge=1)


class HnswIndex(Frozen):
    """A navigable small-world graph over whole vectors (arXiv:1603.09320; FAISS IndexHNSWFlat).

    Attributes:
        links: neighbours a vector keeps (M).
        build_depth: candidates looked at for each vector that is added (efConstruction).
        search_depth: candidates looked at for a query (efSearch), doubled up to `most_depth` until the recall is
            reached.
    """

    kind: Literal["hnsw"] = "hnsw"
    links: int = Field(default=32, ge=2)
    build_depth: int = Field(default=40, ge=1)
    search_depth: int = Field(default=64, ge=1)
    most_depth: int = Field(default=4096, ge=1)


class DenseConfig(Frozen):
    """Retrieval by the inner product of vectors of length one (cosine).

    Attributes:
        flat_rows: up to this many rows every vector is compared; above, `index` decides which.
        index: the approximate index.
        min_recall: of the k true neighbours, the share that the approximate index must find on a sample of queries.
        recall_queries: the size of that sample.
    """

    kind: Literal["dense"] = "dense"
    select: SelectConfig = SelectConfig()
    flat_rows: int = Field(default=2_000_000, ge=0)
    index: IvfIndex | HnswIndex = Field(default=IvfIndex(), discriminator="kind")
    min_recall: float = Field(default=0.95, gt=0, le=1)
    recall_queries: int = Field(default=200, ge=1)


class Bm25Config(Frozen):
    """Retrieval by shared words, for comparison (BM25 as Lucene has it; Kamphuis et al. 2020).

    Attributes:
        k1: how soon more of the same word stops to count.
        b: how much long texts are marked down.
    """

    kind: Literal["bm25"] = "bm25"
    select: SelectConfig = SelectConfig()
    k1: float = Field(default=1.5, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)


class NearestConfig(Frozen):
    """Which rows of a set of records are near to each benchmark item, by shared words (BM25).

    Attributes:
        k: rows an item, the nearest ones.
        k1, b: as in `Bm25Config`.
    """

    k: int = Field(default=3, ge=1)
    k1: float = Field(default=1.5, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)


class RetrieveRuntime(Frozen):
    """On what a search runs; nothing here enters a key.

    Attributes:
        threads: of FAISS or bm25s; None for the engine's own choice.
        memory_bytes: the most that the index may take; None for 80 % of what is free.
    """

    threads: int | None = Field(default=None, ge=1)
    memory_bytes: int | None = Field(default=None, ge=1)

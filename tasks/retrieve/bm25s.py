"""The adapter to `bm25s`: BM25 over words.

A word is a run of letters and digits, in lower case, single ones too: in mathematics ``x`` and ``2`` mean
something, and bm25s's own pattern leaves them out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from tasks.core.errors import EngineError, InfrastructureError
from tasks.retrieve.config import Bm25Config, RetrieveRuntime
from tasks.retrieve.engine import Neighbours
from tasks.retrieve.memory import budget, require
from tasks.retrieve.pool import PoolTexts

_WORD = r"(?u)\w+"
_STOPWORDS = "en"
#: Bytes that building takes for a character of text: twice what `tests/benchmarks/retrieve.py` measures.
_BYTES_A_CHARACTER = 34


class Bm25Index:
    """An index of texts in memory."""

    def __init__(self, index: Any, rows: int, runtime: RetrieveRuntime) -> None:
        self._index, self._rows, self._runtime = index, rows, runtime
        self.facts: dict[str, Any] = {"index": "bm25", "engine": f"bm25s {version('bm25s')}", "rows": rows}

    def search(self, queries: Sequence[str], k: int) -> Neighbours:
        """See `Index`. A row that shares no word with a query is not found by it."""
        import numpy as np

        depth = min(k, self._rows)
        with _mapped():
            rows, scores = self._index.retrieve(
                _words(list(queries)), k=depth, show_progress=False, n_threads=self._runtime.threads or 0,
                backend_selection="numpy",
            )  # fmt: skip
        found = np.where(scores > 0, rows.astype(np.int64), -1)
        wide = ((0, 0), (0, k - depth))
        return Neighbours(np.pad(found, wide, constant_values=-1), np.pad(scores, wide))


def open_index(base: PoolTexts, config: Bm25Config, runtime: RetrieveRuntime) -> Bm25Index:
    """Return the index of all texts of `base`.

    Raises:
        InfrastructureError: if it does not fit into memory, saying by how much.
    """
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG at import
    characters = sum(map(len, base.texts()))
    require(
        f"a BM25 index of {len(base.positions)} texts", characters * _BYTES_A_CHARACTER, budget(runtime.memory_bytes),
        remedy="give it a smaller pool, or a machine with more memory",
    )  # fmt: skip
    with _mapped():
        index = bm25s.BM25(method="lucene", k1=config.k1, b=config.b, backend="numpy")
        index.index(_words(list(base.texts())), show_progress=False)
    return Bm25Index(index, len(base.positions), runtime)


def _words(texts: list[str]) -> Any:
    import bm25s

    return bm25s.tokenize(texts, token_pattern=_WORD, stopwords=_STOPWORDS, show_progress=False)


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise InfrastructureError("bm25s ran out of memory", remedy="give it a smaller pool") from error
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"bm25s failed: {error}", remedy="look at the pool's texts") from error

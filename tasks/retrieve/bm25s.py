"""The adapter to `bm25s`: BM25 over words.

A word is a run of letters and digits, in lower case, single ones too: in mathematics ``x`` and ``2`` mean
something, and bm25s's own pattern leaves them out.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tasks.core.errors import EngineError, InfrastructureError
from tasks.retrieve.config import Bm25Config, RetrieveRuntime
from tasks.retrieve.engine import Neighbours, TextBase
from tasks.retrieve.memory import budget, require, words_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORD = r"(?u)\w+"
_STOPWORDS = "en"


class Bm25Index:
    """An index of texts in memory."""

    def __init__(self, index: Any, lengths: NDArray[np.int64], config: Bm25Config, runtime: RetrieveRuntime) -> None:
        self._index, self._lengths, self._config, self._runtime = index, lengths, config, runtime
        self._rows = rows = len(lengths)
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

    def own_scores(self, queries: Sequence[str]) -> NDArray[np.float64]:
        """Return the score that each query would have for a row that is the query itself, shape (queries,).

        It is what the scores of `search` are to be measured by; words that no row has count as the rarest.
        """
        import numpy as np

        words = _words(list(queries))
        ids = {number: self._index.vocab_dict.get(word) for word, number in words.vocab.items()}
        found = np.diff(self._index.scores["indptr"])
        rare = {n: math.log1p((self._rows - f + 0.5) / (f + 0.5)) for n, f in _found(ids, found).items()}
        mean = max(1.0, float(self._lengths.mean()))
        return np.array([self._own_score(query, rare, mean) for query in words.ids])

    def _own_score(self, query: Sequence[int], rare: Mapping[int, float], mean: float) -> float:
        length = self._config.k1 * (1 - self._config.b + self._config.b * len(query) / mean)
        # bm25s adds a word's part once for each time that the query has it.
        return sum(count * rare[word] * count / (length + count) for word, count in Counter(query).items())


def open_index(base: TextBase, config: Bm25Config, runtime: RetrieveRuntime) -> Bm25Index:
    """Return the index of all texts of `base`.

    Raises:
        InfrastructureError: if it does not fit into memory, saying by how much.
    """
    import bm25s
    import numpy as np

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG at import
    characters = sum(map(len, base.texts()))
    require(
        f"a BM25 index of {len(base.positions)} texts", words_bytes(characters), budget(runtime.memory_bytes),
        remedy="give it a smaller pool, or a machine with more memory",
    )  # fmt: skip
    with _mapped():
        index = bm25s.BM25(method="lucene", k1=config.k1, b=config.b, backend="numpy")
        words = _words(list(base.texts()))
        index.index(words, show_progress=False)
    return Bm25Index(index, np.array([len(row) for row in words.ids], dtype=np.int64), config, runtime)


def _found(ids: Mapping[int, int | None], rows: NDArray[np.int64]) -> dict[int, int]:
    """Return in how many rows each word of some queries is."""
    return {number: 0 if own is None else int(rows[own]) for number, own in ids.items()}


def has_words(texts: Iterable[str]) -> bool:
    """Return whether any text has a word that counts: an index of none cannot be made."""
    return any(any(_words([text]).ids) for text in texts)


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

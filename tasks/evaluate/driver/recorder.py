"""Writes down what a benchmark asks a model, instead of answering it: the requests that another engine will answer.

Nothing that is asked later depends on an answer given earlier, so an empty answer and a loss of nothing do for all.
Equal requests are written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from tasks.core.rows import REQUESTS, RowWriter
from tasks.evaluate.driver.greedy import GreedyModel, Text
from tasks.evaluate.engine import RawTable
from tasks.evaluate.requests import Ending, request_id


class Recorder(GreedyModel):
    """Asks a model folder's tokenizer, and no weights. A context manager, which finishes its tables."""

    def __init__(self, folder: str, *, chat: bool, max_context: int | None, into: Path) -> None:
        super().__init__(folder, chat=chat, max_context=max_context)
        self._into = into
        self._tables: dict[Ending | None, RowWriter] = {}
        self._written: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for table in self._tables.values():
            table.__exit__(kind, error, trace)

    def answer_tokens(self, texts: Sequence[Text], room: int, stops: Sequence[str]) -> list[list[int]]:
        """Record prompts to answer."""
        for text in texts:
            self._write(text, Ending(room, tuple(stops)))
        self._on_rows(len(texts))
        return [[] for _ in texts]

    def losses(self, texts: Sequence[Text]) -> list[Any]:
        """Record texts to score; one of a single token has no loss to ask for."""
        for text in texts:
            if len(text.ids) > 1:
                self._write(text, None)
        self._on_rows(len(texts))
        return [np.zeros(max(0, len(text.ids) - 1)) for text in texts]

    def tables(self) -> tuple[RawTable, ...]:
        """Return what was written."""
        return tuple(
            RawTable(
                folder=str(table.folder),
                rows=table.count,
                max_output_tokens=ending.limit if ending else None,
                stop=ending.stop if ending else (),
            )
            for ending, table in self._tables.items()
        )

    def _write(self, text: Text, ending: Ending | None) -> None:
        row_id = request_id(text.text, ending)
        if row_id in self._written:
            return
        if ending not in self._tables:
            self._tables[ending] = RowWriter(self._into / str(len(self._tables)), REQUESTS)
        self._tables[ending].write({"row_id": row_id, "sample": 0, "messages": None, "prompt": text.text})
        self._written.add(row_id)

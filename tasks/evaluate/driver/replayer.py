"""Gives the answers that another engine gave to what `Recorder` wrote down.

A request that has no answer, or that the engine read as other tokens than the model's own tokenizer does, is an error:
a score made of it would look like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.rows import shards
from tasks.evaluate.driver.greedy import GreedyModel, Text
from tasks.evaluate.requests import Ending, request_id

_COLUMNS = ["row_id", "prompt_tokens", "token_ids", "token_logprobs"]


class Outcome(NamedTuple):
    """What came back of one request: the tokens of its answer, or of the scored text from the second on."""

    prompt_tokens: int
    ids: Any
    logprobs: Any


class Replayer(GreedyModel):
    """Asks a model folder's tokenizer and looks answers up; no weights."""

    def __init__(self, folder: str, *, chat: bool, max_context: int | None, answers: Sequence[str]) -> None:
        super().__init__(folder, chat=chat, max_context=max_context)
        self._outcomes = {row_id: outcome for place in answers for row_id, outcome in _outcomes(Path(place))}

    def answer_tokens(self, texts: Sequence[Text], room: int, stops: Sequence[str]) -> list[list[int]]:
        """Return the recorded answers."""
        found = [self._find(text, Ending(room, tuple(stops))) for text in texts]
        self._on_rows(len(texts))
        return [outcome.ids.tolist() for outcome in found]

    def losses(self, texts: Sequence[Text]) -> list[Any]:
        """Return the recorded losses."""
        losses = [self._loss(text) if len(text.ids) > 1 else np.zeros(0) for text in texts]
        self._on_rows(len(texts))
        return losses

    def _loss(self, text: Text) -> Any:
        outcome = self._find(text, None)
        if outcome.ids.tolist() != text.ids[1:]:
            raise _misread(text, "")
        return -outcome.logprobs.astype(np.float64)

    def _find(self, text: Text, ending: Ending | None) -> Outcome:
        row_id = request_id(text.text, ending)
        outcome = self._outcomes.get(row_id)
        if outcome is None:
            raise LookupError(f"request {row_id} has no answer: ...{text.text[-200:]!r}")
        if outcome.prompt_tokens != len(text.ids):
            raise _misread(text, f": {outcome.prompt_tokens} instead of {len(text.ids)}")
        return outcome


def _misread(text: Text, how: str) -> ValueError:
    return ValueError(
        f"the engine read other tokens than the model's own tokenizer{how}; evaluate this model with the engine "
        f"transformers: ...{text.text[-200:]!r}"
    )


def _outcomes(folder: Path) -> Iterator[tuple[str, Outcome]]:
    """Yield the outcomes of one artifact; their tokens stay in Arrow's buffers, four bytes each."""
    for path in shards(folder):
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(columns=_COLUMNS):
                names, prompts = batch["row_id"].to_pylist(), batch["prompt_tokens"].to_pylist()
                columns = (_arrays(batch[name]) for name in _COLUMNS[2:])
                for row_id, prompt, ids, logprobs in zip(names, prompts, *columns, strict=True):
                    yield row_id, Outcome(prompt, ids, logprobs)


def _arrays(column: pa.ListArray) -> list[Any]:
    values, offsets = column.values.to_numpy(zero_copy_only=False), column.offsets.to_pylist()
    return [values[start:end] for start, end in pairwise(offsets)]

"""Several attempts in one vLLM engine at a time: as answers of one end, requests of the next take their place.

Answers differ in length, a teacher's reasoning by far: an engine that finished one attempt before it began the next
would run nearly empty at the end of each. So answers that are drawn by chance, of which nobody expects the same bytes
from other batches, are streamed; what is greedy or scored is put one attempt at a time, which keeps its batches fixed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from tasks.generate.config import Sampling, Scoring

Outputs = tuple[list[Any], float]


def is_streamed(how: Sampling | Scoring) -> bool:
    """Say whether answers are drawn by chance, so that their batches need not be the same each time."""
    return isinstance(how, Sampling) and how.temperature > 0


@dataclass
class _Batch:
    """The requests of one attempt, and what came of them so far, by their place."""

    prompts: Sequence[Any]
    options: Sequence[Any]
    done: Future[Outputs]
    outputs: dict[int, Any] = field(default_factory=dict)


class Stream:
    """Feeds one engine (vLLM's `LLMEngine`) from a queue. `run` and the engine belong to one thread."""

    def __init__(self, engine: Any, on_finished: Callable[[], None]) -> None:
        self._engine, self._on_finished = engine, on_finished
        self._incoming: SimpleQueue[_Batch] = SimpleQueue()
        self._open: dict[int, _Batch] = {}
        self._admitted = 0
        self._since = 0.0

    def put(self, prompts: Sequence[Any], options: Sequence[Any]) -> Future[Outputs]:
        """Queue requests for whole answers; return what becomes their outputs, in order, and the seconds for them.

        Attempts that are under way together share their time: each has the part of it that passed since the last one
        ended, so that seconds add up to those of the engine.
        """
        batch = _Batch(prompts, options, Future())
        if prompts:
            self._incoming.put(batch)
        else:
            batch.done.set_result(([], 0.0))
        return batch.done

    def run(self) -> None:
        """Answer until nothing is left: what others put meanwhile, too."""
        try:
            while self._admit() or self._open:
                for output in self._engine.step():
                    self._take(output)
        except Exception as error:  # whoever waits is told, and the engine is not trusted after it
            for batch in self._open.values():
                batch.done.set_exception(error)
            self._open.clear()

    def _admit(self) -> bool:
        """Add what was put; say whether there was anything."""
        before = self._admitted
        while True:
            try:
                batch = self._incoming.get_nowait()
            except Empty:
                return self._admitted > before
            if not self._open:
                self._since = time.monotonic()
            self._open[self._admitted] = batch
            for place, (prompt, options) in enumerate(zip(batch.prompts, batch.options, strict=True)):
                self._engine.add_request(f"{self._admitted}-{place}", prompt, options)
            self._admitted += 1

    def _take(self, output: Any) -> None:
        if not output.finished:
            return
        number, place = map(int, output.request_id.split("-")[:2])
        batch = self._open[number]
        batch.outputs[place] = output
        self._on_finished()
        if len(batch.outputs) == len(batch.prompts):
            del self._open[number]
            now = time.monotonic()
            batch.done.set_result(([batch.outputs[place] for place in range(len(batch.prompts))], now - self._since))
            self._since = now

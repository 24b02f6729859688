"""Requests in a store, and an engine that answers them by rule, dies where it is told to, and starts nothing."""

from __future__ import annotations

from collections import deque

import pytest

from tasks.core.identity import Identity
from tasks.core.rows import REQUESTS, write_rows
from tasks.core.store import Store
from tasks.generate.config import GenerateConfig
from tasks.generate.engine import ANSWERS, Answered, Lost
from tasks.generate.ledger import read_table, write_table
from tasks.generate.outcomes import drop, meters_of
from tasks.generate.prompts import Unaskable, check_asks


class Scripted:
    """Answers a prompt with its own text, upside down. A row in `poison` kills it; `faults` are lost attempts first."""

    workers = 2
    versions = {"scripted": "1"}  # noqa: RUF012

    def __init__(self, *, poison=(), faults=0, depth=2, before_answer=lambda attempt: None):
        self.poison, self.faults, self.depth, self.before_answer = set(poison), faults, depth, before_answer
        self.given, self.asked, self.opened = deque(), [], 0

    def __call__(self, config, runtime, scratch):
        return self

    def __enter__(self):
        self.opened += 1
        return self

    def __exit__(self, *_):
        self.given.clear()

    def room(self, left):
        return self.depth - len(self.given)

    def give(self, attempt):
        assert len(self.given) < self.depth
        self.given.append(attempt)

    def wait(self, seconds):
        if not self.given:
            return []
        attempt = self.given.popleft()
        self.before_answer(attempt)
        rows = list(read_table(attempt.requests))
        self.asked.append([row["row_id"] for row in rows])
        if self.faults or self.poison & {row["row_id"] for row in rows}:
            self.faults = max(0, self.faults - 1)
            waiting, self.given = list(self.given), deque()
            return [Lost(attempt, "killed by the script", True), *(Lost(other, "", False) for other in waiting)]
        answers = [self._answer(row) for row in rows]
        return [Answered(attempt, write_table(attempt.answers, answers, ANSWERS), meters_of(answers, 0.5))]

    def _answer(self, row):
        try:
            check_asks(row)
        except Unaskable as why:
            return drop(row, why.reason, why.detail)
        text = row["prompt"]
        kept = {name: row[name] for name in ("position", "row_id", "sample")}
        return kept | {"text": text[::-1], "finish": "stop", "prompt_tokens": len(text), "output_tokens": len(text)}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def config():
    return GenerateConfig(model={"engine": "scripted", "endpoint_model": "script"}, sampling={}, shard_rows=4)


def publish(store, rows):
    def build(draft):
        draft.num_rows = write_rows(draft.folder, rows, REQUESTS)

    return store.produce(Identity.of("prompt", 1, {"rows": [str(row) for row in rows]}, {}), build)


def prompts(count):
    return [{"row_id": f"q{n}", "sample": 0, "messages": None, "prompt": f"{n} " * (1 + n * 7 % 40)}
            for n in range(count)]  # fmt: skip

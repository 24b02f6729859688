"""Raw results and a scripted engine for the evaluate stage's unit tests."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks.core.rows import write_rows
from tasks.evaluate.config import BenchmarkConfig, EvaluateJob
from tasks.evaluate.engine import Progress, RawResult, RawRow, RawSubset, RawTable, RawTables, Suite, Task


def row(i: int, **changes) -> RawRow:
    plain = {
        "item": f"s/{i}-abc", "cluster": "", "prompt": "p" * 64, "prediction": "5", "gold": "5", "truncated": False,
        "tokens": 3, "bits": 2.5, "bytes": 1,
    }  # fmt: skip
    return RawRow(**{**plain, **changes})


def subset(count: int = 3, *, correct=(True, False, True), abbr: str = "mine", **changes) -> RawSubset:
    plain = {
        "abbr": abbr,
        "size": count,
        "rows": tuple(row(i) for i in range(count)),
        "details": [{"correct": [value]} for value in correct],
        "metrics": {"accuracy": 100 * sum(correct) / len(correct)},
    }
    return RawSubset(**{**plain, **changes})


def raw(*subsets: RawSubset, key: str = "k", benchmark: str = "mine") -> RawResult:
    versions = {"opencompass": "0.5.4"}
    return RawResult(
        key=key, benchmark=benchmark, subsets=subsets or (subset(),), versions=versions, seconds=1.0, prompts_cut=0
    )


def suite(**changes) -> Suite:
    return Suite(**{"name": "mine", "abbrs": ("mine",), **changes})


class ScriptedEngine:
    """Answers every task with the same three rows, and remembers what it was asked."""

    def __init__(self, fail_at: str = "") -> None:
        self.asked: list[Task] = []
        self.fail_at = fail_at

    def run(self, tasks, result, on_done, on_progress) -> None:
        for task in tasks:
            if task.suite.name == self.fail_at:
                raise RuntimeError("stopped here")
            self.asked.append(task)
            on_done(task, raw(subset(abbr=task.suite.abbrs[0]), key=task.key, benchmark=task.suite.name))
            on_progress(Progress(done=1, total=1, rows=3, rows_per_second=1, seconds_left=0, current=""))


class TableEngine:
    """Writes the same tables for every task, given as (columns, rows, how they end); remembers what it was asked."""

    def __init__(self, *tables) -> None:
        self.tables, self.asked = tables, []

    def run(self, tasks, result, on_done, on_progress) -> None:
        assert result is RawTables
        for task in tasks:
            self.asked.append(task)
            made = []
            for number, (columns, rows, ending) in enumerate(self.tables):
                folder = Path(task.out).with_suffix(".tables") / str(number)
                made.append(RawTable(folder=str(folder), rows=write_rows(folder, rows, columns), **ending))
            versions = {"opencompass": "0.5.4"}
            name = task.suite.name
            on_done(
                task,
                RawTables(key=task.key, benchmark=name, tables=made, context=64, versions=versions, seconds=1.0),
            )


@pytest.fixture
def make() -> SimpleNamespace:
    """The builders of this file, for tests that are imported without a package."""
    return SimpleNamespace(row=row, subset=subset, raw=raw, suite=suite, engine=ScriptedEngine, tables=TableEngine)


@pytest.fixture
def qa_file(tmp_path) -> Path:
    path = tmp_path / "qa.jsonl"
    path.write_text("".join(json.dumps({"question": f"{i}+1?", "answer": f"#### {i + 1}"}) + "\n" for i in range(3)))
    return path


@pytest.fixture
def model(tmp_path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def job(qa_file, model):
    def make(name: str = "mine", digest: str = "d", **changes) -> EvaluateJob:
        benchmark = BenchmarkConfig(**{"name": name, "file": str(qa_file), "kind": "qa", "domain": "math", **changes})
        return EvaluateJob(name="m", folder=str(model), digest=digest * 64, benchmark=benchmark)

    return make

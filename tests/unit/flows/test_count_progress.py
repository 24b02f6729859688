"""What a person sees of the steps that go through a table row by row: nothing of a short one."""

import json

import pytest

import flows.ingesting
import flows.progress
from flows.ingesting import read_records
from flows.progress import CountProgress, ItemsProgress
from flows.recipes import Dataset
from tasks.core.store import Store
from tasks.evaluate.config import BenchmarkConfig
from tasks.evaluate.engine import Progress as EvaluateState


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(flows.progress, "time", clock)
    return clock


def said(capsys):
    captured = capsys.readouterr()
    assert captured.out == ""  # standard output is for `--json`
    return [" ".join(line.split()) for line in captured.err.splitlines()]


def go_through(progress, rows, clock, seconds_a_row):
    with progress:
        for done in range(1, rows + 1):
            clock.now += seconds_a_row
            progress(done)


def test_a_short_step_says_nothing(clock, capsys):
    go_through(CountProgress("pack", "mix", 4_000), 4_000, clock, 0.001)
    assert said(capsys) == []


def test_a_long_step_says_rate_and_time_left_now_and_then(clock, capsys):
    go_through(CountProgress("pack", "mix", 4_000), 4_000, clock, 1 / 256)
    assert said(capsys) == [
        "pack mix 256 rows a second 1,280 of 4,000, about 11 s left",
        "pack mix 256 rows a second 2,560 of 4,000, about 6 s left",
        "pack mix 256 rows a second 3,840 of 4,000, about 1 s left",
        "pack mix 4,000 rows in 16 s",
    ]


def test_where_nobody_knows_the_total_there_is_no_time_left(clock, capsys):
    go_through(CountProgress("ingest", "traces"), 2_000, clock, 1 / 256)
    assert said(capsys) == ["ingest traces 256 rows a second 1,280 so far", "ingest traces 2,000 rows in 8 s"]


def test_what_takes_seconds_each_has_no_rate(clock, capsys):
    go_through(CountProgress("ledger", "my-study", 3, "candidates"), 2, clock, 8.0)
    assert said(capsys) == [
        "ledger my-study 1 of 3, about 16 s left",
        "ledger my-study 2 of 3, about 8 s left",
        "ledger my-study 2 candidates in 16 s",
    ]


def test_a_step_that_fails_does_not_say_that_it_ended(clock, capsys):
    def step():
        with CountProgress("ingest", "traces") as progress:
            clock.now += 8
            progress(1)
            raise ValueError

    with pytest.raises(ValueError):
        step()
    assert said(capsys) == ["ingest traces 1 so far"]


def test_a_name_in_brackets_is_no_markup(clock, capsys):
    go_through(CountProgress("ingest", "a[red]"), 1, clock, 8.0)
    assert said(capsys)[0].startswith("ingest a[red]")


def test_items_count_the_benchmarks_that_an_engine_lists(clock, capsys):
    own = BenchmarkConfig(name="own", kind="qa", domain="math", file="own.jsonl")
    with ItemsProgress([BenchmarkConfig(name="gsm8k"), own]) as progress:
        clock.now += 8
        progress(EvaluateState(done=0, total=1, rows=16, rows_per_second=2, seconds_left=None, current="gsm8k"))
    assert said(capsys) == ["items gsm8k 16 items, 2 a second 0 of 1"]


def test_reading_a_source_says_how_it_goes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(flows.ingesting, "cached", lambda task, *_: task.fn)
    monkeypatch.setattr(flows.progress, "_SECONDS_BETWEEN_LINES", 0.0)
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"text": f"row {n}"}) + "\n" for n in range(3)))
    read_records(Dataset(name="pages", file=str(file)), Store(tmp_path / "store"))
    lines = said(capsys)
    assert [line.rpartition("second ")[2] for line in lines[:3]] == ["1 so far", "2 so far", "3 so far"]
    assert lines[3].startswith("ingest pages 3 rows in ")

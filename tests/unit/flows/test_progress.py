"""What a person sees while a study runs."""

import io
from types import SimpleNamespace
from uuid import uuid4

import httpx
import pytest
from rich.console import Console

from flows import progress as module
from flows.progress import AnnealProgress, GenerateProgress
from tasks.anneal.engine import Progress
from tasks.generate.engine import Progress as Answering


def test_a_retry_counts_no_anneal_twice(capsys):
    with AnnealProgress(3) as progress:
        for job, state in [("a", "finished"), ("b", "finished"), ("a", "cached"), ("b", "cached"), ("c", "finished")]:
            progress(Progress(job, state))
    said = capsys.readouterr().err
    assert progress.done == 3
    assert "3 of 3" in said
    assert "5 of 3" not in said


def test_the_time_left_counts_the_steps_of_anneals_under_way(capsys, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    with AnnealProgress(4) as progress:
        progress(Progress("there before", "cached"))
        progress(Progress("", "starting"))
        clock.now += 60  # of the engine, which starts once
        progress(Progress("resumed", "training", step=50, steps=100))
        progress(Progress("new", "training", step=0, steps=100))
        clock.now += 10
        progress(Progress("resumed", "training", step=100, steps=100))
        progress(Progress("new", "training", step=50, steps=100))  # one anneal's worth in 10 s, and 1.5 to go
        progress(Progress("resumed", "finished"))
    assert "2 of 4, about 15 s left" in capsys.readouterr().err


HALF = Answering(
    "answering", rows=1500, total=3000, failures=7, tokens_per_second=24_411.4, seconds=61.0, seconds_left=3720.0,
    actors=2, cost=1.234, where="QwQ [32B] on 2 x 1 GPU",
)  # fmt: skip
STARTING = Answering("starting", 0, 3000, where=HALF.where)


class Clock:
    """Seconds that pass when they are told to."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def seen(monkeypatch):
    """What is printed, and what Prefect's UI is shown: (share, text) each time; a clock that stands."""
    shown, clock = [], Clock()

    def created(share, key, description):
        shown.append((key, share, description))
        return uuid4()

    monkeypatch.setattr(module, "create_progress_artifact", created)
    monkeypatch.setattr(
        module, "update_progress_artifact", lambda _, share, description: shown.append((share, description))
    )
    monkeypatch.setattr(module, "time", clock)

    def on(terminal):
        console = Console(file=io.StringIO(), force_terminal=terminal, highlight=False, width=160, color_system=None)
        monkeypatch.setattr(module, "console", console)
        return console.file

    return SimpleNamespace(shown=shown, clock=clock, on=on)


def test_a_teachers_progress_says_rows_rate_failures_cost_and_time_left(seen):
    said = seen.on(terminal=False)
    with GenerateProgress("Long CoT") as progress:
        progress(STARTING)
        progress(STARTING)
        seen.clock.now += 6
        progress(HALF)
    lines = said.getvalue().splitlines()
    assert [line for line in lines if "starting" in line] == [" generate  Long CoT  starting QwQ [32B] on 2 x 1 GPU"]
    assert lines[1] == (
        " generate  Long CoT  1,500 of 3,000 answers, 24,411 tokens/s, 7 failed, cost 1.23, about 1 h 02 min left"
    )
    assert lines[-1].endswith("left in 1 min 01 s")


def test_prefect_is_shown_the_same(seen):
    seen.on(terminal=False)
    with GenerateProgress("Long CoT") as progress:
        seen.clock.now += 6
        progress(HALF)
        progress(HALF)  # too soon after the last
        seen.clock.now += 6
        progress(Answering("answering", rows=3000, total=3000))
    (key, share, text), *others = seen.shown
    assert (key, share) == ("generate-long-cot", 50.0)
    assert "1,500 of 3,000 answers" in text and "7 failed" in text
    assert [share for share, _ in others] == [100.0, 100.0]  # the last time at the end


def test_a_terminal_has_a_bar_in_place_of_lines(seen):
    said = seen.on(terminal=True)
    with GenerateProgress("made") as progress:
        seen.clock.now += 6
        progress(HALF)
        [bar] = progress._bar.tasks
        assert (bar.completed, bar.total) == (1500, 3000)
        assert "24,411 tokens/s" in bar.description and "7 failed" in bar.description
    assert (
        len([line for line in said.getvalue().splitlines() if " generate  made  1,500" in line]) == 1
    )  # the last word


def test_what_was_asked_again_is_told_once_with_its_reason(seen):
    said = seen.on(terminal=False)
    with GenerateProgress("made") as progress:
        for _ in range(3):
            progress(Answering("answering", 1, 9, requeues=2, trouble="its process died [9]"))
    assert said.getvalue().count("asked again (2): its process died [9]") == 1


def test_answers_from_the_store_and_work_that_failed_end_without_a_word(seen):
    said = seen.on(terminal=False)
    with GenerateProgress("made") as progress:
        progress(Answering("cached", 9, 9))
    with pytest.raises(ValueError, match="no"), GenerateProgress("made") as progress:
        progress(HALF)
        raise ValueError("no")
    assert said.getvalue() == ""
    assert seen.shown == []


def test_a_server_that_takes_no_artifact_ends_no_work(seen, monkeypatch):
    said = seen.on(terminal=False)

    def refused(*_, **__):
        raise httpx.ConnectError("gone")

    monkeypatch.setattr(module, "create_progress_artifact", refused)
    with GenerateProgress("made") as progress:
        seen.clock.now += 6
        progress(HALF)
    assert "the Prefect UI does not show this: ConnectError" in said.getvalue()
    assert "1,500 of 3,000 answers" in said.getvalue()

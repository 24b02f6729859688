from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.core.errors import EngineError, InfrastructureError, IntegrityError, OutageError
from tasks.evaluate.config import EvaluateRuntime
from tasks.evaluate.drivers import next_task
from tasks.evaluate.engine import RawResult, Task
from tasks.evaluate.opencompass import OpenCompass

DRIVER = Path(__file__).with_name("scripted_driver.py")


@pytest.fixture
def task(tmp_path, make):
    def build(key: str = "k", folder: str = "one") -> Task:
        return Task(
            key=key, model="m", folder=folder, suite=make.suite(), profile="base", dtype="float32", max_context=None,
            engine="scripted", out=str(tmp_path / f"{key}.json"), batch_size=1, device="cpu",
        )  # fmt: skip

    return build


def drive(tasks, how: str, **runtime):
    done, progress = [], []
    work = Path(tasks[0].out).parent / ".work"
    engine = OpenCompass(EvaluateRuntime(**runtime), work, command=[sys.executable, str(DRIVER), how])
    engine.run(tasks, RawResult, lambda task, raw: done.append((task.key, raw)), progress.append)
    return done, progress


def test_every_task_is_done_once_by_as_many_drivers_as_there_are(task):
    tasks = [task(f"{folder}{i}", folder) for folder in ("one", "two") for i in range(3)]
    done, progress = drive(tasks, "works", processes=2)
    assert sorted(key for key, _ in done) == sorted(t.key for t in tasks)
    assert all(key == raw.key for key, raw in done)
    assert (progress[-1].done, progress[-1].total, progress[-1].seconds_left) == (6, 6, 0.0)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("fails", EngineError, "m on mine failed in OpenCompass:\nRuntimeError: no tensors today"),
        ("exits", EngineError, "the driver at m on mine ended with exit code 0"),
        ("breaks", EngineError, "ended with exit code 3"),
        ("is killed", InfrastructureError, "was killed by SIGKILL"),
    ],
)
def test_a_driver_that_ends_badly_is_an_error_with_the_end_of_its_log(task, how, error, message):
    with pytest.raises(error, match=message) as caught:
        drive([task()], how)
    assert type(caught.value) is error
    assert "the log says: something went on here" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("how", "message"), [("tears", "torn"), ("writes nothing", "missing"), ("is stale", "not that of")]
)
def test_a_torn_missing_or_stale_result_is_an_error(task, how, message):
    with pytest.raises(IntegrityError, match=message):
        drive([task()], how)


@pytest.mark.parametrize(
    ("limit", "error", "message"),
    [
        ({"deadline": 0.5}, OutageError, "took over 0.5 s"),  # given up: another try would start the clock again
        ({"stall": 0.5}, InfrastructureError, "silent for 0.5 s"),
    ],
)
def test_a_driver_that_hangs_is_killed_with_its_children(task, limit, error, message):
    with pytest.raises(error, match=message) as caught:
        drive([task()], "hangs", **limit)
    assert type(caught.value) is error
    child = int(Path(task().out + ".child").read_text())
    end = time.monotonic() + 5
    while _alive(child):
        assert time.monotonic() < end, "the driver's child is left behind"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_whole_result_that_a_killed_run_left_is_used_and_a_torn_or_foreign_one_is_not(task):
    drive([task("a"), task("b"), task("c")], "works")
    kept = Path(task("a").out).read_text()
    Path(task("b").out).write_text(kept)  # another task's
    Path(task("c").out).write_text(kept[:50])  # torn
    with pytest.raises(EngineError):  # b and c are run, and this driver fails at it
        drive([task("a"), task("b"), task("c")], "fails")
    done, _ = drive([task("a")], "fails")  # a is not run
    assert [key for key, _ in done] == ["a"]


def test_without_its_environment_it_says_how_to_get_one(task, tmp_path):
    engine = OpenCompass(EvaluateRuntime(python=str(tmp_path / "python")), tmp_path / "work")
    with pytest.raises(EngineError, match="evaluation environment's Python") as caught:
        engine.run([task()], RawResult, lambda task, raw: None, lambda progress: None)
    assert "make" in caught.value.remedy


def test_a_driver_gets_no_secrets(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    environment = OpenCompass(EvaluateRuntime(), Path("work"))._environment()
    assert "HF_TOKEN" not in environment and environment["HF_HUB_OFFLINE"] == "1"
    assert environment["PATH"] == os.environ["PATH"]


def test_the_log_that_an_error_names_is_there_until_a_later_run_and_a_run_that_ends_well_leaves_none(task, tmp_path):
    work = tmp_path / ".work"
    with pytest.raises(EngineError) as caught:
        drive([task()], "breaks")
    log = Path(re.search(r"--- end of (\S+) ---", caught.value.message)[1])
    assert log.is_relative_to(work) and "something went on here" in log.read_text()
    [kept] = work.iterdir()
    drive([task()], "works")
    assert list(work.iterdir()) == [kept]  # this very process is not over
    over = subprocess.Popen(["true"])
    over.wait()
    pid = str(os.getpid())
    kept.rename(kept.with_name(kept.name.replace(f"-{pid}-", f"-{over.pid}-")))
    elsewhere = work / f"drivers-another-host-{over.pid}-x"
    elsewhere.mkdir()
    Path(task().out).unlink()
    drive([task()], "works")
    assert list(work.iterdir()) == [elsewhere]


def test_a_free_driver_takes_the_model_it_holds_then_one_that_nobody_holds(task):
    pending = [task("a", "one"), task("b", "two"), task("c", "three")]
    assert next_task(pending, "three", {"one"}) == 2
    assert next_task(pending, "", {"one"}) == 1
    assert next_task(pending[:1], "two", {"one"}) == 0

"""The whole flow killed at random moments of all it does: `assay make`, from its start to its end."""

import hashlib
import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from kitchen import ASKED, TEACHER, Kitchen, distill
from small_study import ROOT, write_jsonl
from taught import questions

from tasks.core.rows import read_rows

pytestmark = pytest.mark.engine
QUESTIONS, SAMPLES = 600, 4
# Greedy, so that what is asked again is byte-equal.
RECIPE = distill(questions=ASKED | {"file": "many.jsonl"}, teacher=TEACHER) | {
    "prompt": {"form": "text", "template": "{question}\n", "samples": SAMPLES},
    "judge": {"mode": "reference"},
}


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory, prefect_api, taught):
    kitchen = Kitchen(tmp_path_factory.mktemp("kills"), prefect_api, taught)
    write_jsonl(kitchen.folder / "many.jsonl", [{"question": q, "answer": a} for q, a in questions(QUESTIONS)])
    return kitchen


@pytest.fixture(scope="module")
def whole(kitchen):
    """The dataset of a run without faults: how long it took, and its answers and rows by content."""
    started = time.monotonic()
    store = kitchen.folder / "whole"
    done = kitchen.make("killed", RECIPE, "--store", store)
    assert done.returncode == 0, done.stderr[-4000:]
    return time.monotonic() - started, contents(store)


def contents(store: Path) -> dict[str, str]:
    """Return the SHA-256 of every published table, by stage and place in it; logs alone know of time."""
    tables = {str(path.relative_to(store)): path for path in store.glob("[a-z]*/*/**/rows-*.parquet")}
    return {place: digest(path) for place, path in tables.items() if "/logs/" not in place}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def kept(store: Path) -> dict[str, tuple[int, str]]:
    """Return every committed shard and every published table, with its time of change and SHA-256."""
    shards = {path.with_suffix(".parquet") for path in store.glob(".work/generate-*/shards/*.json")}
    files = shards | set(store.glob("[a-z]*/*/**/rows-*.parquet"))
    return {str(path): (path.stat().st_mtime_ns, digest(path)) for path in files}


def check_kills(times: int, kitchen: Kitchen, whole: tuple[float, dict[str, str]], folder: Path) -> None:
    """Kill flows at random moments of the time that a whole one takes; each goes on where the last one died.

    What was done must stay as it was, and what comes out must be the same. Once it is out, the next begins anew.
    """
    chance, (seconds, expected) = random.Random(times), whole
    killed, number, before, at_work = 0, 0, dict[str, tuple[int, str]](), False
    while killed < times:
        store, moment = folder / str(number), time.monotonic() + chance.uniform(0, seconds)
        # One of them comes at work for sure, however the time is spread on this machine.
        due = partial(commits, store, shards(store)) if killed == 1 else lambda due=moment: time.monotonic() >= due
        if started_and_killed(kitchen, store, due):
            killed += 1
        else:
            assert contents(store) == expected
            number += 1
        before = untouched(before, kept(store), store)
        at_work = at_work or shards(store) > 0
    assert at_work, "no kill found a shard that was committed and not yet published"
    done = kitchen.make("killed", RECIPE, "--store", store)
    assert done.returncode == 0, done.stderr[-4000:]
    assert contents(store) == expected
    rows = list(read_rows(Path(json.loads(done.stdout)["folder"]), ["row_id"]))
    assert len({row["row_id"] for row in rows}) == len(rows) == QUESTIONS


def shards(store: Path) -> int:
    """Return how many shards are committed that are not yet published."""
    return len(list(store.glob(".work/generate-*/shards/*.json")))


def commits(store: Path, before: int) -> bool:
    return shards(store) > before


def started_and_killed(kitchen: Kitchen, store: Path, due: Callable[[], bool]) -> bool:
    """Start the flow and SIGKILL it once that is due; return whether it was still at work then."""
    command = [*map(str, kitchen.command("killed", RECIPE, "--store", store))]
    quiet = subprocess.DEVNULL
    flow = subprocess.Popen(command, cwd=ROOT, env=kitchen.environment, stdout=quiet, stderr=quiet)
    while flow.poll() is None and not due():
        time.sleep(0.02)
    flow.kill()
    ended = flow.wait()
    assert ended in (0, -signal.SIGKILL)
    return ended != 0


def untouched(
    before: dict[str, tuple[int, str]], now: dict[str, tuple[int, str]], store: Path
) -> dict[str, tuple[int, str]]:
    """Check that nothing of this store was written again, and no published table is gone; return what is there."""
    ours = {path: state for path, state in before.items() if path.startswith(f"{store}/")}
    published = {path for path in ours if "/.work/" not in path}
    assert published <= now.keys()
    assert {path: now[path] for path in ours if path in now} == {path: ours[path] for path in ours if path in now}
    return now


def test_a_flow_killed_three_times_makes_the_same_dataset(kitchen, whole, tmp_path):
    check_kills(3, kitchen, whole, tmp_path / "store")


@pytest.mark.slow
def test_a_flow_killed_twenty_times_makes_the_same_dataset(kitchen, whole, tmp_path):
    check_kills(20, kitchen, whole, tmp_path / "store")

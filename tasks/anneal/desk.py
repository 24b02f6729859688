"""How a driver and the processes of a fit share a queue: through small files in the run's folder.

::

    <run>/queue/000003.json      job 3, written by the driver
    <run>/claim-000003           job 3 is taken by a group: made once, by whoever is first
    <run>/closed                 no more jobs will come
    <run>/group-0/000001.json    the group's first decision: the job, and whether to train it, skip it or stop
    <run>/group-0/progress       the group's progress, a JSON object a line
    <run>/failed-1.json          why worker 1 gave up
    <run>/worker-1.log           all that worker 1 printed

A group's first worker (its leader) claims a job, waits for its lock in the store, and writes down what it found; the
group's others follow its decisions in order. Nobody waits in a collective, so nothing can time out while a job is
sought, and jobs may come as long as the queue is open.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tasks.anneal.config import AnnealJob
from tasks.anneal.engine import Progress

Action = Literal["train", "skip", "stop"]
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Failure:
    """Why a worker gave up: `kind` is the name of an error of Assay's own, empty for any other."""

    rank: int
    number: int
    job: str
    kind: str
    message: str
    remedy: str


class Desk:
    """The run's folder, as one group of workers sees it."""

    def __init__(self, run: Path, group: int) -> None:
        self.run, self.folder = run, run / f"group-{group}"
        self._turn = 0

    def claims(self, idle_seconds: float) -> Iterator[int]:
        """Yield the jobs that this group is the first to take, until the queue is closed or long idle."""
        waiting_since = time.monotonic()
        while True:
            closed = (self.run / "closed").exists()
            if (number := self._claim()) is not None:
                yield number
                waiting_since = time.monotonic()
            elif closed or time.monotonic() - waiting_since > idle_seconds:
                (self.run / "closed").touch()
                return
            else:
                time.sleep(_POLL_SECONDS)

    def _claim(self) -> int | None:
        for path in sorted((self.run / "queue").glob("*.json")):
            try:
                os.close(os.open(self.run / f"claim-{path.stem}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            return int(path.stem)
        return None

    def job(self, number: int) -> AnnealJob:
        """Return a job of the queue."""
        return AnnealJob.model_validate_json(_job_file(self.run, number).read_text())

    def decide(self, number: int, action: Action) -> None:
        """Tell the group what comes next."""
        self._turn += 1
        _write(self.folder / f"{self._turn:06d}.json", json.dumps([number, action]))

    def decisions(self) -> Iterator[tuple[int, Action]]:
        """Yield what the leader decides, waiting for it, until it says stop."""
        while True:
            self._turn += 1
            while not (path := self.folder / f"{self._turn:06d}.json").exists():
                time.sleep(_POLL_SECONDS)
            number, action = json.loads(path.read_text())
            if action == "stop":
                return
            yield number, action

    def report(self, number: int, progress: Progress) -> None:
        """Append a line of progress."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "progress").open("a") as file:
            file.write(json.dumps([number, asdict(progress)]) + "\n")


def put(run: Path, number: int, job: AnnealJob) -> None:
    """Add a job to the queue."""
    _write(_job_file(run, number), job.model_dump_json())


def close(run: Path) -> None:
    """Say that no more jobs will come."""
    (run / "closed").touch()


def new_progress(run: Path, read: dict[Path, int]) -> list[tuple[int, Progress]]:
    """Return the progress written since the last call with the same `read`, which holds what was seen of each file."""
    found = []
    for path in sorted(run.glob("group-*/progress")):
        with path.open("rb") as file:
            file.seek(read.get(path, 0))
            text = file.read()
        whole = text.rfind(b"\n") + 1
        read[path] = read.get(path, 0) + whole
        for line in text[:whole].splitlines():
            number, progress = json.loads(line)
            found.append((number, Progress(**progress)))
    return found


def fail(run: Path, failure: Failure) -> None:
    """Write down why a worker gave up."""
    _write(run / f"failed-{failure.rank}.json", json.dumps(asdict(failure)))


def failures(run: Path) -> list[Failure]:
    """Return what the workers that gave up wrote, by rank."""
    return [Failure(**json.loads(path.read_text())) for path in sorted(run.glob("failed-*.json"))]


def log_tail(run: Path, rank: int, lines: int = 30) -> str:
    """Return the last lines that a worker printed."""
    path = run / f"worker-{rank}.log"
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def _job_file(run: Path, number: int) -> Path:
    return run / "queue" / f"{number:06d}.json"


def _write(path: Path, text: str) -> None:
    """Write a file that others poll for, so that they see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text)
    temporary.rename(path)


def settings(store_root: Path, run: Path, runtime: dict[str, Any]) -> dict[str, Any]:
    """Return what every worker of a fit is started with."""
    return {"run": str(run), "store": str(store_root), "runtime": runtime}

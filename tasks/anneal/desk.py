"""How the processes of a fit share a queue: through small files in the run's folder, so no collective can time out.

::

    <run>/claim-3               job 3 is taken by a group: made once, by whoever is first
    <run>/group-0/0001.json     the group's first decision: the job, and whether to train it, skip it or stop
    <run>/group-0/progress      the group's progress, a JSON object a line
    <run>/failed-1.json         why worker 1 gave up
    <run>/worker-1.log          all that worker 1 printed

A group's first worker (its leader) claims a job, waits for its lock in the store, and writes down what it found; the
group's others follow its decisions in order.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tasks.anneal.engine import Progress

Action = Literal["train", "skip", "stop"]
_POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Desk:
    """One group's place in the run's folder."""

    run: Path
    group: int

    @property
    def folder(self) -> Path:
        return self.run / f"group-{self.group}"

    def claims(self, jobs: int) -> Iterator[int]:
        """Yield the jobs that this group is the first to take."""
        for number in range(jobs):
            try:
                os.close(os.open(self.run / f"claim-{number}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            yield number

    def decide(self, turn: int, job: int, action: Action) -> None:
        """Tell the group what comes next."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{turn}"
        temporary.write_text(json.dumps([job, action]))
        temporary.rename(self.folder / f"{turn:04d}.json")

    def decisions(self) -> Iterator[tuple[int, Action]]:
        """Yield what the leader decides, waiting for it, until it says stop."""
        turn = 0
        while True:
            turn += 1
            while not (path := self.folder / f"{turn:04d}.json").exists():
                time.sleep(_POLL_SECONDS)
            job, action = json.loads(path.read_text())
            if action == "stop":
                return
            yield job, action

    def report(self, progress: Progress) -> None:
        """Append a line of progress."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "progress").open("a") as file:
            file.write(json.dumps(asdict(progress)) + "\n")


def new_progress(run: Path, read: dict[Path, int]) -> list[Progress]:
    """Return the progress written since the last call with the same `read`, which holds what was seen of each file."""
    found = []
    for path in sorted(run.glob("group-*/progress")):
        with path.open("rb") as file:
            file.seek(read.get(path, 0))
            text = file.read()
        whole = text.rfind(b"\n") + 1
        read[path] = read.get(path, 0) + whole
        found += [Progress(**json.loads(line)) for line in text[:whole].splitlines()]
    return found


def failures(run: Path) -> list[dict[str, Any]]:
    """Return what the workers that gave up wrote, by rank."""
    return [json.loads(path.read_text()) for path in sorted(run.glob("failed-*.json"))]


def log_tail(run: Path, rank: int, lines: int = 30) -> str:
    """Return the last lines that a worker printed."""
    path = run / f"worker-{rank}.log"
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])

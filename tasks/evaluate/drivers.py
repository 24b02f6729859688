"""Driver processes in the evaluation environment: started, fed, listened to, and never left behind. No engine here.

Each has a process group and a log of its own. Its stdin is also its lifeline: when it closes, however the parent died,
a driver that is at work kills its own group.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tasks.evaluate.engine import Task

_TAIL_LINES = 30
#: Loads the package `tasks` alone from where it is installed, so that nothing else of that environment comes along.
BOOT = (
    "import importlib.util as u, runpy, sys; "
    "spec = u.spec_from_file_location('tasks', sys.argv.pop()); "
    "sys.modules['tasks'] = u.module_from_spec(spec); "
    "spec.loader.exec_module(sys.modules['tasks']); "
    "runpy.run_module('tasks.evaluate.driver', run_name='__main__')"
)
PACKAGE = Path(__file__).parents[1] / "__init__.py"


class Driver:
    """One driver process. `task` is what it works on, `model` what it holds."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path) -> None:
        self.log = log
        self.task: Task | None = None
        self.model = ""
        self.heard = time.monotonic()
        self._rest = b""
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, cwd=folder, env=environment,
                start_new_session=True,
            )  # fmt: skip

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def give(self, task: Task) -> None:
        """Hand it a task. Where it died meanwhile, its output's end will say so."""
        assert self.process.stdin is not None
        self.task, self.model, self.heard = task, task.folder, time.monotonic()
        try:
            self.process.stdin.write(task.model_dump_json().encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.heard = time.monotonic()

    def read(self) -> list[dict[str, Any]] | None:
        """Return what it says; None when it will say nothing more."""
        said = os.read(self.output.fileno(), 1 << 16)
        if not said:
            return None
        self.heard = time.monotonic()
        *lines, self._rest = (self._rest + said).split(b"\n")
        return [json.loads(line) for line in lines if line]

    def tail(self) -> str:
        """Return the end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def end(self) -> None:
        """Kill it with all it started, and wait for it."""
        assert self.process.stdin is not None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            self.task = None  # it had ended by itself, and its group with it
        self.process.wait()
        for pipe in (self.process.stdin, self.output):
            try:
                pipe.close()
            except BrokenPipeError:
                self.task = None  # unsent words to a dead driver


class Drivers:
    """Several drivers; a context manager, which leaves none behind."""

    def __init__(self, drivers: list[Driver]) -> None:
        self.all = drivers
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        for driver in self.all:
            self._selector.register(driver.output, selectors.EVENT_READ, driver)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for driver in self.all:
            driver.end()
        self._selector.close()

    def heard(self, wait: float) -> Iterator[tuple[Driver, dict[str, Any] | None]]:
        """Yield what drivers say within `wait` seconds: events, or None where one has ended."""
        for key, _ in self._selector.select(wait):
            events = key.data.read()
            if events is None:
                self._selector.unregister(key.fileobj)
                yield key.data, None
            else:
                yield from ((key.data, event) for event in events)


def next_task(pending: Sequence[Task], holding: str, held_by_others: set[str]) -> int:
    """Return which pending task a free driver takes: of the model it holds, else of a model that no other driver holds,
    else the first. So each model is loaded as seldom as possible while no driver stands idle."""
    ranks = [0 if task.folder == holding else 1 if task.folder not in held_by_others else 2 for task in pending]
    return ranks.index(min(ranks))

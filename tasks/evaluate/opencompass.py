"""OpenCompass, from the main environment: starts drivers in its environment, shares tasks out, judges how they end.

A result counts only once its file is whole and is this task's own. A driver that dies by a signal or hangs is a fault
of the machine (`InfrastructureError`), and so is an evaluation past its deadline, which is given up (`OutageError`);
anything else that goes wrong in it is an `EngineError`. All show the end of its log and say where the whole of it is:
in the folder that the drivers worked in, which a run that fails or is killed leaves, until the next evaluation in this
store starts.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic

import psutil
from pydantic import ValidationError

from tasks.core.errors import EngineError, InfrastructureError, IntegrityError, OutageError
from tasks.evaluate.config import EvaluateRuntime
from tasks.evaluate.drivers import BOOT, PACKAGE, Driver, Drivers, next_task
from tasks.evaluate.engine import Progress, Result, Task

#: What of the environment a driver gets: it may run what a model wrote, so no secrets.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TZ")
_POLL = 1.0
_WORK = "drivers"


class OpenCompass:
    """The engine of a study's evaluations. Making one does no I/O."""

    def __init__(self, runtime: EvaluateRuntime, work: Path, *, command: Sequence[str] | None = None) -> None:
        """`work` is where folders to work in are made; `command` replaces the driver in tests."""
        self.runtime, self.work = runtime, work
        self._command = command

    def run(
        self,
        tasks: Sequence[Task],
        result: type[Result],
        on_done: Callable[[Task, Result], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        """Run tasks on as many drivers as the runtime says. See `EvaluationEngine.run`.

        Tasks whose whole result is already at ``task.out``, from a run that was killed, are not run again.
        """
        pending = []
        for task in tasks:
            left = leftover(task, result)
            if left is None:
                pending.append(task)
            else:
                on_done(task, left)
        if pending:
            with work_folder(self.work) as folder:
                drivers = self._start(len(pending), folder)
                _Run(self.runtime, pending, len(tasks), result, on_done, on_progress).run(drivers)

    def _start(self, tasks: int, folder: Path) -> list[Driver]:
        runtime = self.runtime
        python = runtime.interpreter
        if self._command is None and not os.access(python, os.X_OK):
            raise EngineError(
                f"{python} not found: it is the evaluation environment's Python",
                remedy="run `make setup`, or set the runtime's evaluate.python",
            )
        logs = Path(runtime.logs) if runtime.logs else folder
        logs.mkdir(parents=True, exist_ok=True)
        command = self._command or [str(python), "-c", BOOT, str(PACKAGE)]
        environment = self._environment()
        return [
            Driver(command, environment, logs / f"driver-{os.getpid()}-{number}.log", folder)
            for number in range(min(runtime.processes, tasks))
        ]

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        threads = str(self.runtime.threads)
        offline = dict.fromkeys(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"), "1")
        data = str(Path(self.runtime.data).absolute())
        return (
            kept
            | offline
            | {
                "COMPASS_DATA_CACHE": data,
                "OMP_NUM_THREADS": threads,
                "TOKENIZERS_PARALLELISM": "false",
                "PYTHONUNBUFFERED": "1",  # what is printed before a crash is in the log
            }
        )


@contextmanager
def work_folder(work: Path) -> Iterator[Path]:
    """Make a folder under `work` for this run: gone where it ends well, left with its logs where it does not.

    What runs of this machine left that are over is removed first.
    """
    prefix = f"{_WORK}-{socket.gethostname()}-"
    for left in work.glob(f"{prefix}*"):
        if not psutil.pid_exists(int(left.name.split("-")[-2])):
            shutil.rmtree(left, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=work))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class _Run(Generic[Result]):
    """One drain of the queue."""

    def __init__(
        self,
        runtime: EvaluateRuntime,
        pending: list[Task],
        total: int,
        result: type[Result],
        on_done: Callable[[Task, Result], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.runtime, self.pending, self.total, self.result = runtime, pending, total, result
        self.on_done, self.on_progress = on_done, on_progress
        self.to_do = len(pending)
        self.shares: dict[str, float] = {}
        self.rows = self.done = 0
        self.started = self.working_since = time.monotonic()

    def run(self, started: list[Driver]) -> None:
        with Drivers(started) as drivers:
            while self.done < self.to_do:
                for driver, event in drivers.heard(_POLL):
                    self._hear(driver, event, drivers)
                self._check_time(drivers)

    def _hear(self, driver: Driver, event: dict[str, Any] | None, drivers: Drivers) -> None:
        if event is None:
            raise _ended(driver)
        if event["event"] == "failed":
            raise _failed(driver, event["error"])
        if event["event"] == "rows":
            self.rows += event["count"]
            self.shares[event["key"]] = min(0.99, event["done"] / max(1, event["total"]))
            self._report(driver)
        else:
            if event["event"] == "done":
                self._finish(driver, event["key"])
            self._feed(driver, drivers)

    def _finish(self, driver: Driver, key: str) -> None:
        task = driver.task
        if task is None or task.key != key:
            raise IntegrityError(f"a driver says it did {key}, which it was not given", remedy="report this")
        self.on_done(task, _result(task, self.result))
        self.done += 1
        self.shares[key] = 1.0
        self._report(driver)
        driver.task = None

    def _feed(self, driver: Driver, drivers: Drivers) -> None:
        if not self.shares and self.done == 0:
            self.working_since = time.monotonic()  # a driver is up: its start says nothing of the time left
        if driver.task is None and self.pending:
            others = {other.model for other in drivers.all if other is not driver and other.task is not None}
            driver.give(self.pending.pop(next_task(self.pending, driver.model, others)))

    def _report(self, driver: Driver) -> None:
        elapsed = max(1e-9, time.monotonic() - self.working_since)
        share = sum(self.shares.values()) / self.to_do
        self.on_progress(
            Progress(
                done=self.total - self.to_do + self.done,
                total=self.total,
                rows=self.rows,
                rows_per_second=round(self.rows / elapsed, 1),
                seconds_left=round(elapsed * (1 - share) / share, 1) if share > 0 else None,
                current=_what(driver.task),
            )
        )

    def _check_time(self, drivers: Drivers) -> None:
        now = time.monotonic()
        if now - self.started > self.runtime.deadline:
            busy = next((driver for driver in drivers.all if driver.task is not None), drivers.all[0])
            raise OutageError(  # with another try the clock would start again
                f"the evaluation took over {self.runtime.deadline:g} s; it was at {_what(busy.task)}{_log(busy)}",
                remedy="raise the runtime's evaluate.deadline; what is done is kept",
            )
        for driver in drivers.all:
            idle = driver.task is None and not self.pending
            if not idle and now - driver.heard > self.runtime.stall:
                raise InfrastructureError(
                    f"the driver at {_what(driver.task)} has been silent for {self.runtime.stall:g} s{_log(driver)}",
                    remedy="run again: what is done is kept; or raise the runtime's evaluate.stall",
                )


def leftover(task: Task, result: type[Result]) -> Result | None:
    """Return the whole result that an earlier, killed run left for this very task, or None."""
    path = Path(task.out)
    if not path.exists():
        return None
    try:
        found = result.model_validate_json(path.read_bytes())
    except ValidationError:
        return None  # torn or another version's: it is made again
    return found if found.key == task.key else None


def _result(task: Task, result: type[Result]) -> Result:
    try:
        found = result.model_validate_json(Path(task.out).read_bytes())
    except (OSError, ValidationError) as error:
        raise IntegrityError(
            f"the result of {_what(task)} at {task.out} is missing or torn: {error}",
            remedy="check the disk and run again; nothing was published",
        ) from error
    if found.key != task.key:
        raise IntegrityError(f"the result at {task.out} is not that of {_what(task)}", remedy="remove it and run again")
    return found


def _ended(driver: Driver) -> EngineError:
    code = driver.process.wait()
    what = f"the driver at {_what(driver.task)}"
    if code < 0:
        name = signal.Signals(-code).name
        return InfrastructureError(
            f"{what} was killed by {name}{_log(driver)}",
            remedy="if memory ran out, lower evaluate.batch_size or evaluate.processes; what is done is kept",
        )
    return EngineError(f"{what} ended with exit code {code}{_log(driver)}", remedy="mend what the log says; run again")


def _failed(driver: Driver, error: str) -> EngineError:
    return EngineError(
        f"{_what(driver.task)} failed in OpenCompass:\n{error.rstrip()}{_log(driver)}",
        remedy="mend what the error says and run again: what is done is kept",
    )


def _log(driver: Driver) -> str:
    return f"\n--- end of {driver.log} ---\n{driver.tail()}\n---"


def _what(task: Task | None) -> str:
    if task is None:
        return "its start"
    return f"{task.model} on {task.suite.name}" if task.model else f"the {task.work} of {task.suite.name}"

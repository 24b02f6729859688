"""The driver: one process in the evaluation environment that scores many models on many benchmarks.

::

    stdin    one `Task` a line, as JSON; its end means: nothing more to do. If it ends while a task runs, the
             parent is gone and the driver kills itself with all it started.
    stdout   one event a line: ready, rows, done, failed
    stderr   OpenCompass's own log

OpenCompass is imported once, a model is loaded once for all its consecutive tasks. Each task works in a fresh folder,
so nothing stale can be reused, and its raw result is written whole or not at all.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
import traceback
from typing import IO, Any

from tasks.evaluate.engine import Task


def main() -> None:
    """Serve tasks until stdin ends."""
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever OpenCompass prints goes to the log
    work = _Inbox(os.dup(0))
    # Processes that OpenCompass forks close their stdin first: they must not find it locked by the inbox's thread.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    from tasks.evaluate.driver.run import Runner, versions

    runner = Runner(lambda **event: _tell(events, **event))
    _tell(events, event="ready", versions=versions())
    while (task := work.next()) is not None:
        try:
            runner.run(task)
        except Exception:
            outcome = {"event": "failed", "error": traceback.format_exc()}
        else:
            outcome = {"event": "done"}
        work.finished()  # first: the parent may close stdin as soon as it hears
        _tell(events, key=task.key, **outcome)


class _Inbox:
    """Reads tasks in a thread, so that the end of stdin is noticed while a task runs."""

    def __init__(self, descriptor: int) -> None:
        self._tasks: queue.Queue[Task | None] = queue.Queue()
        self._open = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._read, args=(descriptor,), daemon=True).start()

    def next(self) -> Task | None:
        return self._tasks.get()

    def finished(self) -> None:
        with self._lock:
            self._open -= 1

    def _read(self, descriptor: int) -> None:
        rest = b""
        while said := os.read(descriptor, 1 << 16):
            *lines, rest = (rest + said).split(b"\n")
            for line in lines:
                with self._lock:
                    self._open += 1
                self._tasks.put(Task.model_validate_json(line))
        with self._lock:
            if self._open:
                os.killpg(os.getpgid(0), signal.SIGKILL)
        self._tasks.put(None)


def _tell(events: IO[str], **event: Any) -> None:
    events.write(json.dumps(event) + "\n")


if __name__ == "__main__":
    main()

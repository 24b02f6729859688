"""Processes that compare answers, each with its own clock: none can hang the run, crash it or eat its memory.

`concurrent.futures` cannot stop one task, and one dead process breaks its whole pool; `multiprocessing.Pool` loses the
task of a worker that dies and waits for ever. So this is a small pool of our own: a pipe for each process, and a
process that fails is replaced. They are forked from a server that has loaded sympy, which makes a replacement cheap,
and copies no thread or lock of the caller.

A worker's clock counts its processor seconds, so that a busy machine changes no verdict, and the kernel ends it: no
signal handler of Python's runs inside a long multiplication. A worker whose caller has died ends the same way.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import resource
import signal
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from tasks.core.errors import EngineError
from tasks.judge import math_verify
from tasks.judge.engine import Finding

#: Address space of a worker. sympy takes 0.5 GiB of it.
MEMORY = 4 << 30
#: How much longer than its processor seconds a comparison may take by the wall clock: stopped, or swapping.
_PATIENCE = 10
_OUT_OF_MEMORY = 12


class Workers:
    """Compares answers in processes of their own; a context manager, and usable from as many threads as it has workers.

    Nothing is started before the first comparison. A script that uses it needs the usual ``__main__`` guard.
    """

    def __init__(self, count: int, deadline: float) -> None:
        self._workers = [_Worker(deadline) for _ in range(count)]
        self._free = queue.LifoQueue[_Worker]()  # who is warm goes first: only as many start as are needed at once
        for worker in self._workers:
            self._free.put(worker)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.stop()

    def compare(self, gold: str, answer: str) -> Finding:
        """Return what Math-Verify finds; undecided, with the reason, where it passes its deadline or dies."""
        worker = self._free.get()
        try:
            return worker.compare(gold, answer)
        finally:
            self._free.put(worker)


class _Worker:
    """One process and the pipe to it; started when it is needed, and replaced when it died."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._process: ForkServerProcess | None = None

    def compare(self, gold: str, answer: str) -> Finding:
        process = self._running()
        try:
            self._pipe.send((gold, answer))
            if self._pipe.poll(self._deadline * _PATIENCE + _PATIENCE):
                found: Finding = self._pipe.recv()
                return found
            found = Finding("undecided", "deadline", f"its process stood still: {answer[:200]}")
        except (EOFError, OSError):
            process.join()
            found = self._cause_of_death(process.exitcode or 0, answer[:200])
        self.stop()
        return found

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None

    def _running(self) -> ForkServerProcess:
        """Return the process, started anew where there is none that lives."""
        if self._process is not None and self._process.is_alive():
            return self._process
        self.stop()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["math_verify"])
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._deadline), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self._pipe.recv()  # it is loaded, which no comparison's clock should count
        except (EOFError, OSError) as error:
            message = "no process that compares answers can be started: math-verify or memory is missing"
            raise EngineError(message, remedy="look at what it printed above, and run `assay doctor`") from error
        return self._process

    def _cause_of_death(self, code: int, answer: str) -> Finding:
        if code == -signal.SIGPROF:
            return Finding("undecided", "deadline", f"no result after {self._deadline:g} processor seconds: {answer}")
        if code == _OUT_OF_MEMORY:
            return Finding("undecided", "memory", f"more than {MEMORY >> 30} GiB of memory: {answer}")
        why = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Finding("undecided", "crash", f"its process died ({why}): {answer}")


def _serve(pipe: Connection, deadline: float) -> None:
    """Compare what comes through a pipe until it is closed; the body of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what an interrupt means
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    math_verify.load()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send(None)
    while True:
        try:
            gold, answer = pipe.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, deadline)
        found = _compare(gold, answer)
        signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send(found)


def _compare(gold: str, answer: str) -> Finding:
    try:
        found = math_verify.compare(gold, answer)
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)
    except Exception as error:
        return Finding("undecided", "failed", f"{type(error).__name__} in sympy: {answer[:200]}")
    # Math-Verify takes a step that ran out of memory for one that found no equality.
    if found.verdict == "wrong" and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10 > MEMORY // 4:
        os._exit(_OUT_OF_MEMORY)
    return found

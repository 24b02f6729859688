"""Is each engine here, and does it work? A version, a device, a probe of seconds, and the remedy.

Each probe has a process of its own: an engine that crashes or hangs ends that, and is a finding like any other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection

import psutil

from flows import probes
from flows.study import Runtime
from tasks.core.identity import Frozen

#: A probe takes seconds; on a busy machine, and from a cold disk, the imports of an engine take a minute.
DEADLINE_SECONDS = 180.0
#: What is loaded here is not loaded again by each probe; no engine is.
_FORK = multiprocessing.get_context("fork")

Probe = Callable[[], probes.Found]


class Finding(Frozen):
    """What the doctor found of one engine."""

    engine: str
    works: bool
    version: str
    device: str
    seconds: float
    remedy: str


def examine(runtime: Runtime) -> Iterator[Finding]:
    """Yield what is found of each engine, one after the other."""
    set_up = "run `make setup`; it installs every engine at its locked version"
    python = runtime.evaluate.interpreter
    compiler = set_up + "; it needs a C++ compiler (Debian: apt-get install g++)"
    yield examined("torch", set_up, probes.check_torch)
    yield examined("transformers", set_up, probes.check_transformers)
    yield examined("deepspeed", compiler, probes.check_deepspeed)
    yield examined("ray", set_up, probes.check_ray)
    yield examined("vllm", set_up + "; with a GPU see docs/how-to/gpus.md", probes.check_vllm)
    yield examined("openai", set_up, probes.check_openai)
    yield examined("math-verify", set_up, probes.check_math_verify)
    yield examined("datasets", set_up, probes.check_datasets)
    yield examined("rensa", set_up, probes.check_rensa)
    yield examined("sentence-transformers", set_up, probes.check_sentence_transformers)
    yield examined("faiss", set_up, probes.check_faiss)
    yield examined("bm25s", set_up, probes.check_bm25s)
    yield examined("prefect", set_up + "; with a server, check PREFECT_API_URL", probes.check_prefect)
    yield examined("mlflow", set_up, probes.check_mlflow)
    yield examined("opencompass", f"run `make setup`; it makes {python}", partial(probes.check_opencompass, python))


def examined(engine: str, remedy: str, probe: Probe) -> Finding:
    """Return what a probe finds of an engine; whatever ends it is what is found, before the remedy."""
    started = time.monotonic()
    found = _apart(probe)
    trouble = found if isinstance(found, str) else ""
    version, device = ("", "") if isinstance(found, str) else found
    return Finding(
        engine=engine,
        works=not trouble,
        version=version,
        device=device,
        seconds=round(time.monotonic() - started, 2),
        remedy=f"{trouble}; {remedy}" if trouble else remedy,
    )


def _apart(probe: Probe) -> probes.Found | str:
    """Run a probe in a process of its own; return what it found, or what became of it."""
    answer, answering = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_answer, args=(probe, answering))
    process.start()
    answering.close()
    try:
        if not answer.poll(DEADLINE_SECONDS):
            return f"no answer within {DEADLINE_SECONDS:g} s"
        found: probes.Found | str = answer.recv()
        return found
    except EOFError:
        process.join()
        return f"its process died (exit code {process.exitcode})"
    finally:
        if process.is_alive():
            _kill_children(psutil.Process(process.pid))
            process.kill()
        process.join()
        answer.close()


def _answer(probe: Probe, answering: Connection) -> None:
    """Send what a probe found, or why it failed, once all that it has started is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the doctor, who ends this process
    os.dup2(2, 1)  # what engines print goes to standard error: standard output is for the findings
    found: probes.Found | str
    try:
        found = probe()
    except Exception as error:  # a probe may fail in any way, and that is its finding
        found = f"{type(error).__name__}: {error}".strip().splitlines()[-1][:300]
    _kill_children(psutil.Process())  # Prefect's private server outlives who asked it
    answering.send(found)


def _kill_children(parent: psutil.Process) -> None:
    """Kill all that a process has started."""
    for one in parent.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()

"""What Ray's errors mean: mapped once, here, to Assay's own.

A worker that vanished, or lost its peers, is the machine's failure and worth another try; what a worker raised itself
is the engine's. Both are told with the job's name and the tail of the worker's log.
"""

from __future__ import annotations

import re
from pathlib import Path

from tasks.anneal import desk
from tasks.core import errors
from tasks.core.errors import AssayError, EngineError, InfrastructureError

_LOST_PEER = re.compile(
    r"connection (closed|reset|refused)|timed? ?out|broken pipe|socket|unhandled system error|remote process exited",
    re.IGNORECASE,
)
_DEATHS = (
    "ActorDied",
    "ActorUnavailable",
    "WorkerCrashed",
    "OutOfMemoryError",
    "NodeDied",
    "RayActorError",
    "HealthCheck",
)


def mapped(error: BaseException | None, run: Path, numbers: set[int]) -> AssayError:
    """Return a fit's end as an error of Assay's own, as those who wait for the jobs `numbers` should see it."""
    found = desk.failures(run)
    own = next((failure for failure in found if failure.kind), None)
    if own is not None:
        return _raised_by_us(own, numbers)
    dead = [rank for rank, why in _worker_failures(error).items() if _names(why) & set(_DEATHS)]
    first = found[0] if found else desk.Failure(0, -1, "", "", str(error), "")
    rank = dead[0] if dead else first.rank
    where = f"annealing {first.job!r}" if first.job else "annealing"
    tail = f"the end of {run / f'worker-{rank}.log'}:\n{desk.log_tail(run, rank)}"
    if dead or not found or _LOST_PEER.search(first.message):
        what = f"worker {rank} died" if dead else first.message
        return InfrastructureError(f"{where}: {what}; {tail}", remedy=_AGAIN)
    return EngineError(f"{where}: {first.message}; {tail}", remedy=_advice(first.message))


_AGAIN = "run again: finished jobs are kept and the one in flight resumes; if memory ran out, lower micro_batch"


def _raised_by_us(failure: desk.Failure, numbers: set[int]) -> AssayError:
    if failure.number not in numbers and failure.number >= 0:
        return InfrastructureError(f"the fit ended because {failure.job!r} failed: {failure.message}", remedy=_AGAIN)
    kind: type[AssayError] = getattr(errors, failure.kind)
    return kind(failure.message, remedy=failure.remedy)


def _advice(message: str) -> str:
    if "out of memory" in message.lower():
        return "lower micro_batch, raise zero_stage, or turn on gradient_checkpointing"
    return "the log says where; `assay doctor` checks the engines"


def _worker_failures(error: BaseException | None) -> dict[int, BaseException]:
    failed: dict[int, BaseException] = getattr(error, "worker_failures", {})
    return failed


def _names(error: BaseException | None) -> set[str]:
    """Return which of the deaths an error, its bases or its causes are."""
    names: set[str] = set()
    while error is not None:
        names |= {death for kind in type(error).__mro__ for death in _DEATHS if death in kind.__name__}
        error = error.__cause__ or error.__context__
    return names

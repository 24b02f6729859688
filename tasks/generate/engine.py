"""What answers shards of requests: a seam between the stage and its engines.

An engine is given *attempts* at shards and says, in any order, which were answered and which were lost. It reads an
attempt's requests from a file and writes its answers to another, so that no row passes through the driver or Ray. It
never publishes: the driver commits what it still waits for, so what a lost engine writes later counts for nothing.

Engines that ship: `tasks.generate.vllm_pool.VllmPool` and `tasks.generate.endpoint.Endpoint`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tasks.core.rows import DROPS, OUTCOMES, REQUESTS, Columns

#: One request of an attempt; `position` counts the requests of the whole artifact from 0.
ASKED: Columns = {"position": "int64", **REQUESTS}
#: What became of it: an outcome, or a drop where `reason` is not null.
ANSWERS: Columns = {"position": "int64", **OUTCOMES, "reason": DROPS["reason"], "detail": DROPS["detail"]}


@dataclass(frozen=True)
class Attempt:
    """One try at answering some requests: those of a shard, or a single one of them.

    Attributes:
        shard: the shard's number.
        requests: the Parquet file to read (ASKED).
        answers: the Parquet file to write (ANSWERS), no other attempt's.
        rows: how many requests there are.
        losses: how many tries at it were lost before.
    """

    shard: int
    requests: Path
    answers: Path
    rows: int
    losses: int = 0


@dataclass(frozen=True)
class Meters:
    """What answering took: rows dropped, tokens, answers cut at the limit, and seconds of the engine's own time."""

    rows: int = 0
    dropped: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    cut: int = 0
    seconds: float = 0.0

    def __add__(self, other: Meters) -> Meters:
        return Meters(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Answered:
    """An attempt whose answers lie whole and synced in their file, with that file's SHA-256."""

    attempt: Attempt
    sha256: str
    meters: Meters


@dataclass(frozen=True)
class Lost:
    """An attempt whose engine died or hung, or whose endpoint failed for the time being.

    Attributes:
        attempt: what was lost; what it may still write is not waited for.
        reason: how, in words.
        begun: False where it had only been waiting its turn.
        drop: why its row is dropped, where it is a single one and was asked often enough.
        answers_others: that it was seen since to answer something else, so that it is the row's own fault.
    """

    attempt: Attempt
    reason: str
    begun: bool
    drop: str = "engine lost"
    answers_others: bool = False


@dataclass(frozen=True)
class Progress:
    """How far the answering is.

    Attributes:
        state: ``starting`` (the engine loads), ``answering`` or ``cached`` (it was all in the store).
        rows, total: requests answered or dropped, and of the whole artifact.
        failures: rows dropped.
        tokens_per_second: output tokens (scored ones, where text is scored) since the first shard was handed out.
        seconds: since the start of this run; `seconds_left` at its speed, None where it is not known.
        actors: engines at work.
        cost: at the declared prices, of earlier runs too.
        where: which model answers, and on what.
        requeues: shards, or rows on their own, that were asked again in this run; `trouble` says why the last one was.
    """

    state: Literal["starting", "answering", "cached"]
    rows: int
    total: int
    failures: int = 0
    tokens_per_second: float = 0.0
    seconds: float = 0.0
    seconds_left: float | None = None
    actors: int = 0
    cost: float = 0.0
    where: str = ""
    requeues: int = 0
    trouble: str = ""


Report = Callable[[Progress], None]


class Engine(AbstractContextManager["Engine"], Protocol):
    """Answers attempts, several at a time. Entered, it starts its workers; left, it ends them."""

    @property
    def workers(self) -> int:
        """How many can answer now."""

    @property
    def versions(self) -> dict[str, str]:
        """The versions of what answers, by package."""

    def room(self, left: int) -> int:
        """Return how many more attempts it should take now, of `left`: none ahead of time that an idle worker needs."""

    def give(self, attempt: Attempt) -> None:
        """Hand over an attempt; `room` must have been above zero."""

    def wait(self, seconds: float) -> list[Answered | Lost]:
        """Return what happened to attempts, after at most that time.

        Raises:
            DataError, StudyError: where the requests or the teacher cannot be used as declared.
            EngineError: where an engine cannot start, or an endpoint refuses all that is asked.
            InfrastructureError: where none comes to be, or an endpoint cannot be reached.
            OutageError: where an endpoint that did answer answers nothing any more, or the disk is full.
        """

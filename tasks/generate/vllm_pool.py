"""vLLM engines in Ray actors: fed, watched, and replaced when they die or hang.

Each actor holds two attempts, one that it computes and one that it prepares meanwhile, or more that it streams. Ray
carries file names and meters, never rows. While it computes, an actor is asked now and then how many requests it has
finished: a shard may take as long as it needs while answers come. An actor that dies, or finishes none within the
deadline, is killed with all processes that carry its mark, and another takes its place; what it may still have
written is not waited for.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from tasks.core.errors import AssayError, EngineError, InfrastructureError
from tasks.generate.config import GenerateConfig, GenerateRuntime
from tasks.generate.engine import Answered, Attempt, Lost
from tasks.generate.ray_cluster import open_cluster
from tasks.generate.ray_seats import DEPTH, STREAM_DEPTH, Seat, end_seat, new_seat, park_seats, take_seats
from tasks.generate.reaper import reap_orphans
from tasks.generate.vllm_stream import is_streamed

_PULSE_SECONDS = 1.0


class VllmPool:
    """Satisfies `Engine`. Entered, it starts Ray and the actors; they load their models side by side."""

    def __init__(self, config: GenerateConfig, runtime: GenerateRuntime, _scratch: Path) -> None:
        self._teacher, self._how, self._runtime = config.model, config.sampling or config.scoring, runtime
        self._streamed = self._how is not None and is_streamed(self._how)
        self._suspects = Counter[int]()  # shards that died with others in an engine, and how often each
        self._seats: list[Seat] = []
        self._versions: dict[str, str] = {}
        self._events: list[Answered | Lost] = []

    def __enter__(self) -> VllmPool:
        open_cluster(self._runtime)
        reap_orphans()
        self._seats = take_seats(self._teacher, self._runtime)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        idle = [seat for seat in self._seats if not seat.given and kind is None]
        for seat in self._seats:
            if seat not in idle:
                end_seat(seat)
        park_seats(idle, self._runtime.keep_warm)
        self._seats = []

    @property
    def workers(self) -> int:
        return sum(seat.open for seat in self._seats)

    @property
    def versions(self) -> dict[str, str]:
        return next((seat.versions for seat in self._seats if seat.open), self._versions)

    @property
    def _depth(self) -> int:
        """How many attempts an actor may hold."""
        if not self._streamed:
            return DEPTH
        return 1 if any(count > 0 for count in self._suspects.values()) else STREAM_DEPTH

    def room(self, left: int) -> int:
        idle = sum(seat.open and not seat.given for seat in self._seats)
        if not self._streamed and left - idle < len(self._seats):
            return idle  # the last ones go to whoever is free first
        return sum(max(0, self._depth - len(seat.given)) for seat in self._seats if seat.open)

    def give(self, attempt: Attempt) -> None:
        seat = min((seat for seat in self._seats if seat.open), key=lambda seat: len(seat.given))
        if not seat.given:
            seat.since = time.monotonic()
        seat.given[seat.actor.answer.remote(attempt, self._how)] = attempt

    def wait(self, seconds: float) -> list[Answered | Lost]:
        import ray

        self._feel()
        refs = {ref: seat for seat in self._seats for ref in seat.awaited}
        ready, _ = ray.wait(list(refs), num_returns=1, timeout=seconds) if refs else ([], [])
        for ref in ready:
            self._hear(refs[ref], ref)
        for seat in list(self._seats):
            if late := self._late(seat):
                self._replace(seat, late)
        events, self._events = self._events, []
        return events

    def _feel(self) -> None:
        """Ask actors at work how many requests they have finished."""
        now = time.monotonic()
        for seat in self._seats:
            if seat.given and seat.pulse is None and now - seat.felt >= _PULSE_SECONDS:
                seat.pulse, seat.felt = seat.actor.finished.remote(), now

    def _hear(self, seat: Seat, ref: Any) -> None:
        """Take in what an actor returned, or that it is dead."""
        import ray

        try:
            said = ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, AssayError):
                raise error.cause from error
            if not seat.open:  # another one would not start either
                raise _not_loaded(error) from error
            # Whatever else an engine raises, it is not to be trusted after it.
            self._replace(seat, f"{type(error.cause).__name__}: {error.cause}", seat.given.get(ref))
        except ray.exceptions.RayActorError as error:
            if not seat.open:
                raise _not_started(error) from error
            self._replace(seat, "its process died")
        else:
            self._take(seat, ref, said)

    def _take(self, seat: Seat, ref: Any, said: Any) -> None:
        if ref == seat.pulse:
            seat.pulse = None
            if said == seat.finished:
                return
            seat.finished = said
        seat.since = time.monotonic()
        if ref == seat.opening:
            (seat.node, seat.versions), seat.open = said, True
            self._versions = seat.versions
        elif ref in seat.given:
            self._clear(seat.given.pop(ref))
            self._events.append(said)

    def _clear(self, attempt: Attempt) -> None:
        """Take an attempt off those that died with others: what became of it is its own doing."""
        if self._suspects[attempt.shard] > 0:
            self._suspects[attempt.shard] -= 1

    def _late(self, seat: Seat) -> str | None:
        """Say that an actor is past its deadline, if it is: to load its model, or to finish its next answer."""
        taken = time.monotonic() - seat.since
        if not seat.open and taken > self._runtime.start_seconds:
            raise InfrastructureError(
                f"an engine did not come up within {self._runtime.start_seconds:g} s (start_seconds)",
                remedy="see that nothing else holds the cluster's cores or GPUs, or raise start_seconds",
            )
        if seat.given and taken > self._runtime.deadline_seconds:
            return f"it finished no answer within {self._runtime.deadline_seconds:g} s (deadline_seconds)"
        return None

    def _replace(self, seat: Seat, reason: str, culprit: Attempt | None = None) -> None:
        """End an actor, hand back what it held, and put another in its place.

        Where it is not known which attempt it failed at, it was the first: the next was waiting. Of several that it
        streamed it may have been any, so none of them is charged, and each is asked again with an engine to itself.
        """
        end_seat(seat)
        given = list(seat.given.values())
        together = self._streamed and len(given) > 1
        failed = None if together else culprit or next(iter(given), None)
        self._events += [Lost(attempt, reason, begun=attempt is failed) for attempt in given]
        if together:
            self._suspects.update(attempt.shard for attempt in given)
        elif failed is not None:
            self._clear(failed)
        self._seats[self._seats.index(seat)] = new_seat(self._teacher, self._runtime)


def _not_loaded(error: Exception) -> EngineError:
    return EngineError(
        f"an engine could not start: {str(error).splitlines()[-1]}",
        remedy="see that every node has the same environment; `assay doctor` looks at this one",
    )


def _not_started(error: Exception) -> InfrastructureError:
    return InfrastructureError(
        f"an engine died while it loaded its model: {str(error).splitlines()[0]}",
        remedy="memory may not be enough for the model; Ray's logs are under /tmp/ray/session_latest/logs",
    )

"""What a person sees while a study runs: one line a few seconds, with rate and time left, and every finished item."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console

from tasks.anneal.engine import Progress as AnnealState
from tasks.evaluate.engine import Progress as EvaluateState

_SECONDS_BETWEEN_LINES = 5.0
console = Console(stderr=True, highlight=False)


def say(stage: str, text: str) -> None:
    """Print one line of progress on standard error."""
    console.print(f"[bold]{stage:>9}[/]  {text}", soft_wrap=True)


class Meter:
    """Counts finished items of a stage and says now and then how it goes; a context manager."""

    stage = ""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self._opened = self._started = self._last = time.monotonic()
        self._worked = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._worked:
            say(self.stage, f"{self.total} of {self.total} done in {duration(time.monotonic() - self._opened)}")

    def finish(self, text: str, *, cached: bool = False) -> None:
        """Count one item as done, and say so unless it was there before."""
        self.done += 1
        if not cached:
            self._worked += 1
            say(self.stage, f"{text}  [dim]{self.done} of {self.total}{self._left()}[/]")

    def pulse(self, text: str) -> None:
        """Say how it goes, at most once every few seconds."""
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            say(self.stage, f"{text}  [dim]{self.done} of {self.total}{self._left()}[/]")

    def _left(self) -> str:
        if not self._worked or self.done == self.total:
            return ""
        rate = (time.monotonic() - self._started) / self._worked
        return f", about {duration(rate * (self.total - self.done))} left"


class AnnealProgress(Meter):
    """The anneals of a study; takes the stage's progress reports."""

    stage = "anneal"

    def __call__(self, state: AnnealState) -> None:
        if state.state in ("finished", "cached"):
            loss = f"  loss {state.loss:.3f}" if state.loss is not None else ""
            self.finish(f"{state.job}{loss}", cached=state.state == "cached")
        elif state.state == "starting":
            say(self.stage, f"{state.job or 'starting Ray and DeepSpeed'}")
        else:
            if self._worked == 0 and state.step == 0:
                self._started = time.monotonic()  # the engine is up: its start says nothing of the time left
            rate = f"{state.tokens_per_second:,.0f} tokens/s" if state.tokens_per_second else ""
            self.pulse(f"{state.job}  step {state.step} of {state.steps}  {rate}")


class EvaluateProgress(Meter):
    """The scores of a study; takes the stage's progress reports."""

    stage = "evaluate"
    _seconds_left: float | None = None  # as the stage reckons it, from the shares of what is under way

    def __call__(self, state: EvaluateState) -> None:
        self._worked, self.done, self._seconds_left = state.done, state.done, state.seconds_left
        rate = f"{state.rows:,} items, {state.rows_per_second:,.0f} a second"
        self.pulse(f"{state.current}  {rate}")

    def _left(self) -> str:
        return f", about {duration(self._seconds_left)} left" if self._seconds_left else ""


def duration(seconds: float) -> str:
    """Return seconds as a person would say them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"

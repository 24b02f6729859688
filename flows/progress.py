"""What a person sees while a study runs: one line a few seconds, with rate and time left, and every finished item."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.exceptions import PrefectException
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress

from tasks.anneal.engine import Progress as AnnealState
from tasks.evaluate.config import BenchmarkConfig
from tasks.evaluate.engine import Progress as EvaluateState
from tasks.generate.engine import Progress as GenerateState
from tasks.judge.task import Progress as JudgeState

_SECONDS_BETWEEN_LINES = 5.0
_LITTLE_ROOM = 2 << 30
console = Console(stderr=True, highlight=False)


def say(stage: str, text: str) -> None:
    """Print one line of progress on standard error."""
    console.print(f"[bold]{stage:>9}[/]  {text}", soft_wrap=True)


def warn_if_nearly_full(folder: Path) -> None:
    """Say so where a disk has little room left: better before hours of work than in the middle of them."""
    if (free := shutil.disk_usage(folder).free) < _LITTLE_ROOM:
        say("store", f"[yellow]only {free / 2**30:.1f} GiB are free on the disk of {folder}[/]")


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
            say(self.stage, f"{text}  [dim]{self._reached()}{self._left()}[/]")

    def pulse(self, text: str) -> None:
        """Say how it goes, at most once every few seconds."""
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            say(self.stage, f"{text}  [dim]{self._reached()}{self._left()}[/]")

    def _reached(self) -> str:
        return f"{self.done} of {self.total}"

    def _left(self) -> str:
        if not self._worked or self.done == self.total:
            return ""
        rate = (time.monotonic() - self._started) / self._worked
        return f", about {duration(rate * (self.total - self.done))} left"


class AnnealProgress(Meter):
    """The anneals of a study; takes the stage's progress reports."""

    stage = "anneal"

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self._counted = set[str]()  # a retry finds what was finished before it, and says so again
        self._under_way = dict[str, tuple[float, float]]()  # shares of a job: when first seen, and now
        self._annealed = 0.0  # jobs' worth of steps done here by those that are finished

    def __call__(self, state: AnnealState) -> None:
        if state.state in ("finished", "cached"):
            self._count(state)
        elif state.state == "starting":
            say(self.stage, f"{state.job or 'starting Ray and DeepSpeed'}")
        else:
            if self._annealed == 0 and not self._under_way:
                self._started = time.monotonic()  # the engine is up: its start says nothing of the time left
            share = state.step / max(1, state.steps)
            first, _ = self._under_way.get(state.job, (share, share))
            self._under_way[state.job] = (first, share)
            rate = f"{state.tokens_per_second:,.0f} tokens/s" if state.tokens_per_second else ""
            self.pulse(f"{state.job}  step {state.step} of {state.steps}  {rate}")

    def _count(self, state: AnnealState) -> None:
        first, _ = self._under_way.pop(state.job, (0.0, 0.0))
        if state.job not in self._counted:
            self._counted.add(state.job)
            cached = state.state == "cached"
            self._annealed += 0.0 if cached else 1.0 - first
            loss = f"  loss {state.loss:.3f}" if state.loss is not None else ""
            self.finish(f"{state.job}{loss}", cached=cached)

    def _left(self) -> str:
        annealed = self._annealed + sum(now - first for first, now in self._under_way.values())
        left = self.total - self.done - sum(now for _, now in self._under_way.values())
        if not annealed or self.done == self.total:
            return ""
        return f", about {duration((time.monotonic() - self._started) / annealed * left)} left"


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


class ItemsProgress(EvaluateProgress):
    """The benchmarks whose items are listed; a study's own files are read at once, and not counted."""

    stage = "items"

    def __init__(self, benchmarks: Sequence[BenchmarkConfig]) -> None:
        super().__init__(sum(not benchmark.custom for benchmark in benchmarks))


class CountProgress(Meter):
    """What a step goes through one by one, rows for the most part; a step that is over at once says nothing.

    It takes how many are done. `total` is None where nobody knows it before the end.
    """

    def __init__(self, stage: str, name: str, total: int | None = None, things: str = "rows") -> None:
        super().__init__(total or 0)
        self.stage, self.name, self.things = stage, escape(name), things

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._last > self._opened:  # it has said how it goes, so it says how it went
            say(self.stage, f"{self.name}  {self.done:,} {self.things} in {duration(time.monotonic() - self._opened)}")

    def __call__(self, done: int) -> None:
        self.done = self._worked = done
        rate = done / max(time.monotonic() - self._opened, 1e-9)
        self.pulse(f"{self.name}  {rate:,.0f} {self.things} a second" if rate >= 1 else self.name)

    def _reached(self) -> str:
        return f"{self.done:,} of {self.total:,}" if self.total else f"{self.done:,} so far"

    def _left(self) -> str:
        return super()._left() if self.total else ""


class GenerateProgress:
    """A teacher's answers: a bar on a terminal, a line now and then elsewhere, and the same in the Prefect UI."""

    def __init__(self, name: str) -> None:
        self.name = name
        columns = ("[bold]{task.fields[stage]:>9}[/]", BarColumn(), MofNCompleteColumn(), "{task.description}")
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=None, stage="generate")
        self._artifact: UUID | None = None
        self._last = time.monotonic()
        self._final: GenerateState | None = None
        self._started = False
        self._requeues = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._final is not None and kind is None:
            self._publish(self._final)
            say("generate", f"{self.name}  {_told(self._final)} in {duration(self._final.seconds)}")

    def __call__(self, state: GenerateState) -> None:
        if state.state == "starting":
            if not self._started:
                say("generate", f"{self.name}  starting {escape(state.where)}")
            self._started = True
        elif state.state == "answering":
            self._final = state
            if state.requeues > self._requeues:
                self._requeues = state.requeues
                say("generate", f"{self.name}  [yellow]asked again ({state.requeues}):[/] {escape(state.trouble)}")
            self._bar.update(self._task, completed=state.rows, total=state.total, description=_told(state))
            if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
                self._last = time.monotonic()
                self._publish(state)
                if not console.is_terminal:
                    say("generate", f"{self.name}  {_told(state)}")

    def _publish(self, state: GenerateState) -> None:
        """Show it in the Prefect UI. A server that does not take it must not end a teacher's work of hours."""
        share = 100.0 * state.rows / max(1, state.total)
        try:
            if self._artifact is None:
                made = create_progress_artifact(share, key=_slug(f"generate-{self.name}"), description=_told(state))
                self._artifact = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(self._artifact, share, description=_told(state))
        except (PrefectException, httpx.HTTPError) as error:
            say("generate", f"{self.name}  the Prefect UI does not show this: {type(error).__name__}")


class JudgeProgress(Meter):
    """The questions of a recipe whose answers are judged; takes the stage's progress reports."""

    stage = "judge"

    def __init__(self, name: str) -> None:
        super().__init__(0)
        self.name = name

    def __call__(self, state: JudgeState) -> None:
        self.done = self._worked = state.done
        self.total = state.total
        self.pulse(f"{self.name}  {state.rows_per_second:,.0f} questions a second")


def _told(state: GenerateState) -> str:
    """Return how a teacher is doing in one line."""
    parts = [f"{state.rows:,} of {state.total:,} answers", f"{state.tokens_per_second:,.0f} tokens/s"]
    if state.failures:
        parts.append(f"[yellow]{state.failures:,} failed[/]")
    if state.cost:
        parts.append(f"cost {state.cost:,.2f}")
    if state.seconds_left:
        parts.append(f"about {duration(state.seconds_left)} left")
    return ", ".join(parts)


def _slug(name: str) -> str:
    """Return a name as Prefect's artifact keys have it: lower case, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def duration(seconds: float) -> str:
    """Return seconds as a person would say them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"

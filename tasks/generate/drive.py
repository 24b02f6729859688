"""Drives an engine over the shards that are not committed yet: the only place where a shard is committed.

Every worker of the engine is kept fed; a shard whose engine died or hung, or whose endpoint failed, goes back into the
queue. After `max_requeues` of those its rows are asked one by one, so that only a row that fails on its own is set
aside, with its reason, and the others are answered. Nothing is kept in memory but the shards that are being answered.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from tasks.core.errors import OutageError
from tasks.generate.budget import Budget, stopped
from tasks.generate.engine import ANSWERS, Answered, Attempt, Engine, Lost, Progress, Report
from tasks.generate.ledger import Ledger, read_table, write_table
from tasks.generate.outcomes import drop, meters_of
from tasks.generate.shards import Shard

_POLL_SECONDS = 0.5
#: So many times over, all that is in hand at once may be lost at all its tries with no answer in between: more rows
#: than that do not happen to be poisonous one after another.
_PATIENCE = 4


def drive(
    name: str, shards: Iterator[Shard], count: int, total: int, ledger: Ledger, budget: Budget,
    open_engine: Callable[[], Engine], report: Report,
) -> None:  # fmt: skip
    """Answer and commit every shard that `ledger` lacks.

    Args:
        count: how many shards there are; `total` requests in all of them.
        budget: what the answers may take, and how often a shard is asked again.
        open_engine: makes the engine; it is opened only where there is something to ask.

    Raises:
        BudgetReached: at a cap of `budget`, which is passed by about a shard; what was handed out is committed.
        OutageError: where engines keep dying and nothing is answered.
        AssayError: what the engine raises, see `Engine.wait`.
    """
    todo = _Queue((shard for shard in shards if shard not in ledger), count - len(ledger.committed))
    if not todo.left:
        return
    if cap := budget.cap_reached(ledger.meters):
        raise stopped(cap, name, ledger.meters, total)
    with open_engine() as engine:
        driven = _Drive(todo, total, ledger, budget, engine, report)
        driven.run()
    if driven.left and (cap := budget.cap_reached(driven.meters)):
        raise stopped(cap, name, driven.meters, total)


class _Queue:
    """Shards to come, and how many."""

    def __init__(self, shards: Iterator[Shard], left: int) -> None:
        self._shards, self.left = shards, left

    def take(self) -> Shard:
        self.left -= 1
        return next(self._shards)


@dataclass
class _Split:
    """A shard whose rows are asked one by one: how many there are, how many were set aside, and the answers so far."""

    rows: int
    losses: int
    aside: int = 0
    parts: list[Answered] = field(default_factory=list)


class _Drive:
    def __init__(
        self, todo: _Queue, total: int, ledger: Ledger, budget: Budget, engine: Engine, report: Report
    ) -> None:
        self.meters = self._before = ledger.meters
        self._todo, self._total, self._ledger, self._budget = todo, total, ledger, budget
        self._engine, self._report, self._max_requeues = engine, report, budget.runtime.max_requeues
        self._again: deque[Attempt] = deque()
        self._split: dict[int, _Split] = {}
        self._waiting = self._in_hand = self._most_waiting = self._deaths = self._requeues = 0
        self._trouble = ""
        self._started = time.monotonic()
        self._answering: float | None = None

    @property
    def left(self) -> int:
        """How many attempts are still to be handed out."""
        return len(self._again) + self._todo.left

    def run(self) -> None:
        """Hand out, wait and commit until all is done or a cap is reached."""
        self._tell()
        while self._feed() or self._waiting:
            for event in self._engine.wait(_POLL_SECONDS):
                self._waiting -= 1
                self._in_hand -= event.attempt.rows
                if isinstance(event, Answered):
                    self._deaths = 0
                    self._take(event)
                else:
                    self._requeue(event)
            self._tell()

    def _feed(self) -> bool:
        """Fill the engine up, as far as the caps allow; say whether there is more to hand out."""
        while self.left and self._affords() and self._engine.room(self.left):
            attempt = self._next()
            self._engine.give(attempt)
            self._waiting += 1
            self._in_hand += attempt.rows
            self._most_waiting = max(self._most_waiting, self._waiting)
            self._answering = self._answering or time.monotonic()
        return self.left > 0 and self._budget.cap_reached(self.meters) is None

    def _affords(self) -> bool:
        """Say whether to hand out more: where there is a cap, no more than it is expected to hold."""
        if not self._budget.is_capped:
            return True
        if self._waiting and not self.meters.rows:  # nobody knows yet what an answer takes
            return self._waiting < self._engine.workers
        return self._budget.holds(self.meters, self._in_hand)

    def _next(self) -> Attempt:
        if self._again:
            return self._again.popleft()
        shard = self._todo.take()
        return self._ledger.attempt(shard.number, shard.rows)

    def _take(self, answered: Answered) -> None:
        self.meters = self.meters + answered.meters
        shard = answered.attempt.shard
        if (split := self._split.get(shard)) is None:
            self._ledger.commit(answered, self._engine.versions)
            return
        split.parts.append(answered)
        if len(split.parts) == split.rows:
            whole = self._ledger.merge(split.parts, split.losses)
            self._ledger.commit(whole, self._engine.versions)
            del self._split[shard]

    def _requeue(self, lost: Lost) -> None:
        attempt = lost.attempt
        again = replace(attempt, losses=attempt.losses + lost.begun)
        self._deaths += lost.begun
        if self._deaths > _PATIENCE * (self._max_requeues + 1) * self._most_waiting:
            raise OutageError(
                f"engines died or hung {self._deaths} times in a row and answered nothing; the last: {lost.reason}",
                remedy="see the log it names; committed shards are kept, and a next run goes on from there",
            )
        if lost.begun:
            self._requeues, self._trouble = self._requeues + 1, lost.reason
        if again.losses <= self._max_requeues or not lost.begun:
            self._again.append(self._ledger.renew(again))
        elif attempt.shard in self._split:
            self._set_aside(again, lost)
        else:
            self._ask_one_by_one(again)

    def _ask_one_by_one(self, attempt: Attempt) -> None:
        """Queue each row of a shard alone, with one chance."""
        self._split[attempt.shard] = _Split(attempt.rows, attempt.losses)
        self._again.extend(self._ledger.one_by_one(attempt, losses=self._max_requeues))

    def _set_aside(self, attempt: Attempt, lost: Lost) -> None:
        """Take a row that failed on its own as answered: with a drop.

        Raises:
            OutageError: where so did all rows of its shard, with no answer in between: it is not for the rows.
        """
        split = self._split[attempt.shard]
        split.aside += 1
        if 1 < split.rows == split.aside <= self._deaths and not lost.answers_others:
            raise OutageError(
                f"each of the {split.rows} rows of a shard failed alone, and nothing was answered meanwhile; the last: "
                f"{lost.reason}",
                remedy="see what it says; committed shards are kept, and a next run goes on from there",
            )
        detail = f"set aside after {attempt.losses} tries, the last one alone: {lost.reason}"
        answers = [drop(row, lost.drop, detail) for row in read_table(attempt.requests)]
        self._take(Answered(attempt, write_table(attempt.answers, answers, ANSWERS), meters_of(answers, 0.0)))

    def _tell(self) -> None:
        now, meters, before = time.monotonic(), self.meters, self._before
        busy = now - (self._answering or now)
        rows = meters.rows + meters.dropped
        new_rows = rows - before.rows - before.dropped
        tokens = meters.output_tokens - before.output_tokens or meters.prompt_tokens - before.prompt_tokens
        self._report(
            Progress(
                state="answering" if self._answering else "starting",
                rows=rows,
                total=self._total,
                failures=meters.dropped,
                tokens_per_second=round(tokens / busy, 1) if new_rows else 0.0,
                seconds=round(now - self._started, 1),
                seconds_left=round(busy * (self._total - rows) / new_rows, 1) if new_rows else None,
                actors=self._engine.workers,
                cost=round(self._budget.cost(meters), 4),
                where=self._budget.runtime.told(self._budget.teacher),
                requeues=self._requeues,
                trouble=self._trouble,
            )
        )

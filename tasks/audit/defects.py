"""What contradicts itself in a group, and the change of one number that would mend each. Exact, in whole units.

A score of a benchmark of n questions is k/n, rounded: it is one where some k gives it by any way to round a half. A
mend that would print a score which is none is not proposed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tasks.audit.config import Defect, Fault, Known
from tasks.audit.groups import Shared, baseline, off_by_sign, same
from tasks.audit.printed import Implied, Printed, Row


def defects(group: Shared, known: Mapping[str, Known], printed: Printed) -> Iterator[Defect]:
    """Yield what is wrong in one group, by benchmark."""
    for benchmark in group.benchmarks:
        measured = _Measured(group, benchmark, known.get(benchmark), printed)
        yield from measured.contradictions()
        yield from measured.broken_scores()


def is_whole(score: int, items: int, units: int) -> bool:
    """Whether a score, in units of the last place, is k/n in percent for some k, rounded any way."""
    nearest = round(score * items / (100 * units))
    return 2 * abs(100 * units * nearest - score * items) <= items


def nearest_whole(score: int, items: int, units: int) -> int:
    """Return the score nearest to one that is k/n, in units."""
    return round(100 * units * round(score * items / (100 * units)) / items)


class _Measured:
    """One benchmark of one group: its rows, its baseline and which scores it can have."""

    def __init__(self, group: Shared, benchmark: str, known: Known | None, printed: Printed) -> None:
        self._group, self._benchmark, self._printed = group, benchmark, printed
        self._items = known.items if known and known.whole else None
        self._rows = group.on(benchmark)
        self._baseline = baseline(self._rows)

    def contradictions(self) -> Iterator[Defect]:
        """Yield the deltas that are not measured from the group's baseline."""
        if self._baseline is None:
            yield self._dispute()
            return
        for row in self._rows:
            if same(row.baseline, self._baseline):
                continue
            turned = off_by_sign(row, self._baseline)
            said = (
                f"{self._text(row.score, row.step)} − ({self._signed(row.delta, row.step)}) is "
                f"{self._text(*row.baseline)}, and the group's baseline is {self._text(*self._baseline)}"
            )
            mends = [f"delta {self._signed(-row.delta, row.step)}"] if turned else self._mends(row, self._baseline)
            yield self._defect("sign" if turned else "contradiction", [row], said, mends)

    def broken_scores(self) -> Iterator[Defect]:
        """Yield the scores, and the baseline, that are no number of right answers."""
        if self._items is None:
            return
        for row in self._rows:
            if not self._possible(row.score, row.step):
                said = f"{self._text(row.score, row.step)} is no number of right answers out of {self._items:,}"
                yield self._defect("no whole number", [row], said, [self._nearest(row, self._items)])
        value = self._baseline
        if value is not None and not any(self._possible(value.units + k * value.step, value.step) for k in (-1, 0, 1)):
            said = f"score minus delta, {self._text(*value)}, is no number of right answers out of {self._items:,}"
            yield self._defect("no whole number", self._rows, said, [])

    def _nearest(self, row: Row, items: int) -> str:
        step = row.step
        score = step * nearest_whole(row.score // step, items, self._printed.units // step)
        delta = row.delta if self._baseline is None else _to_step(score - self._baseline.units, step)
        if delta == row.delta:
            return f"score {self._text(score, step)}"
        return f"score {self._text(score, step)} and delta {self._signed(delta, step)}"

    def _dispute(self) -> Defect:
        implied = ", ".join(f"{self._text(*row.baseline)} by {row.dataset}" for row in self._rows)
        mends = [
            f"{row.dataset}: {' or '.join(mended)} (baseline {self._text(*other.baseline)})"
            for row in self._rows
            for other in self._rows
            if not same(row.baseline, other.baseline) and (mended := self._mends(row, other.baseline))
        ]
        return self._defect("dispute", self._rows, f"the baseline is {implied}", list(dict.fromkeys(mends)))

    def _mends(self, row: Row, baseline: Implied) -> list[str]:
        mends, step = [], row.step
        if self._possible(row.score, step):
            mends.append(f"delta {self._signed(_to_step(row.score - baseline.units, step), step)}")
        if self._possible(score := _to_step(baseline.units + row.delta, step), step):
            mends.append(f"score {self._text(score, step)}")
        return mends

    def _possible(self, score: int, step: int) -> bool:
        if not 0 <= score <= 100 * self._printed.units:
            return False
        return self._items is None or is_whole(score // step, self._items, self._printed.units // step)

    def _defect(self, fault: Fault, rows: list[Row], said: str, mends: list[str]) -> Defect:
        return Defect(
            fault=fault,
            group=self._group.name,
            benchmark=self._benchmark,
            datasets=tuple(row.dataset for row in rows),
            said=said,
            mends=tuple(mends),
            lines=tuple(row.line for row in rows),
        )

    def _text(self, units: int, step: int) -> str:
        return f"{self._printed.points(units):.{self._printed.places(step)}f}"

    def _signed(self, units: int, step: int) -> str:
        return f"{self._printed.points(units):+.{self._printed.places(step)}f}"


def _to_step(units: int, step: int) -> int:
    """Return units rounded to a column's last place."""
    return step * round(units / step)

"""How far a step is with its table: its task tells it row by row, and a flow shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Row = TypeVar("Row")

#: Takes how many rows are done.
Report = Callable[[int], None]


class Tally:
    """Adds up rows that are read in parts and several times over, and tells `report` after each part."""

    def __init__(self, report: Report | None = None) -> None:
        self._report, self._done = report, 0

    def add(self, rows: int) -> None:
        """Count `rows` more."""
        self._done += rows
        if self._report is not None:
            self._report(self._done)


def counted(rows: Iterable[Row], report: Report | None) -> Iterator[Row]:
    """Yield `rows`, and tell `report` after each one how many are done; whoever takes it says it now and then."""
    if report is None:
        yield from rows
        return
    for done, row in enumerate(rows, start=1):
        yield row
        report(done)

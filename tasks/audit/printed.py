"""A printed table of scores and deltas, read as it stands: nothing is corrected.

A CSV file with the columns `table`, `dataset`, `benchmark`, `score` and `delta`, in percent. A dash or nothing is a
value that is missing. Numbers are kept as printed, in units of the last place that the file uses, so that sums are
exact. To which place a number is rounded is its column's to say, a table's numbers on one benchmark: where 50.5 stands
among numbers of two places there, it is 50.50, its zero dropped; where all of them have one place, it is no more than
that.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.errors import DataError
from tasks.core.readers import lone_surrogate, read_file

COLUMNS = ("table", "dataset", "benchmark", "score", "delta")
_MISSING = ("", "-", "–", "—")
_NUMBER = re.compile(r"[+-]?\d{1,3}(\.\d{1,6})?")


class Implied(NamedTuple):
    """A baseline that a row implies, in units, and the step of the last place that it is rounded to."""

    units: int
    step: int


class Row(NamedTuple):
    """One printed score with its delta, in units of the file's last place; both are there.

    Attributes:
        dataset: what was trained on, with its table: ``T4 Math-Retrieval``.
        line: where it stands in the file.
        step: how many units one in the last place of its own column is.
    """

    dataset: str
    benchmark: str
    score: int
    delta: int
    line: str
    step: int = 1

    @property
    def baseline(self) -> Implied:
        """The score that the delta is said to be measured from."""
        return Implied(self.score - self.delta, self.step)


class _Line(NamedTuple):
    """One line of the file; a score or a delta that is missing is None."""

    table: str
    dataset: str
    benchmark: str
    score: Decimal | None
    delta: Decimal | None
    origin: str


class Printed(NamedTuple):
    """A table: its rows, how many values are missing, and how many units make one point."""

    rows: tuple[Row, ...]
    missing: int
    units: int

    def points(self, units: int) -> float:
        """Return units of the last place as points."""
        return units / self.units

    def places(self, step: int) -> int:
        """Return how many decimal places a column has whose last is worth `step` units."""
        return len(str(self.units // step)) - 1


def read_printed(path: Path) -> Printed:
    """Return a printed table.

    Raises:
        DataError: naming the line: a column that is missing, text in a number, a number out of range, a row twice.
    """
    if path.suffix.lower() != ".csv":
        raise DataError(f"{path}: not a .csv file", remedy=f"write the table as CSV with the columns {_names()}")
    try:
        there = path.exists()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}", remedy="name the table's file") from error
    if not there:
        raise DataError(f"{path} does not exist", remedy="name the table's file")
    lines = [_line(raw.value, str(path.with_name(raw.origin)), raw.detail) for raw in read_file(path)]
    if not lines:
        raise DataError(f"{path}: no rows", remedy=f"write the table with the columns {_names()}")
    _check_once(lines)
    places = _places(lines)
    units = 10 ** max(places.values())
    rows = [
        Row(
            dataset=one.dataset,
            benchmark=one.benchmark,
            score=int(one.score * units),
            delta=int(one.delta * units),
            line=one.origin,
            step=units // 10 ** places[one.table, one.benchmark],
        )
        for one in lines
        if one.score is not None and one.delta is not None
    ]
    if not rows:
        raise DataError(f"{path}: no row has both a score and a delta", remedy="add them")
    return Printed(rows=tuple(rows), missing=len(lines) - len(rows), units=units)


def _check_once(lines: list[_Line]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for one in lines:
        if (first := seen.setdefault((one.dataset, one.benchmark), one.origin)) != one.origin:
            raise DataError(
                f"{one.origin}: {one.dataset} on {one.benchmark} a second time; the first is at {first}",
                remedy="keep one row of each",
            )


def _places(lines: list[_Line]) -> dict[tuple[str, str], int]:
    """Return the decimal places of each column, by table and benchmark."""
    places: dict[tuple[str, str], int] = {}
    for one in lines:
        for number in (one.score, one.delta):
            column = one.table, one.benchmark
            places[column] = max(places.get(column, 0), 0 if number is None else -_exponent(number))
    return places


def _line(row: dict[str, Any] | None, line: str, why: str) -> _Line:
    if row is None:
        raise DataError(f"{line}: {why or 'unreadable'}", remedy=f"give every row the columns {_names()}")
    if missing := [name for name in COLUMNS if name not in row]:
        raise DataError(
            f"{line}: no column {', '.join(missing)}; there is {', '.join(row)}",
            remedy=f"give it the columns {_names()}",
        )
    if empty := [name for name in COLUMNS[:3] if not row[name].strip()]:
        raise DataError(f"{line}: {' and '.join(empty)} is empty", remedy="say which score it is")
    if garbled := [name for name in COLUMNS[:3] if lone_surrogate(row[name])]:
        raise DataError(f"{line}: {garbled[0]} is {row[garbled[0]]!r}, not UTF-8", remedy="save the file as UTF-8")
    score, delta = _number(row["score"], "score", 0, line), _number(row["delta"], "delta", -100, line)
    table = row["table"].strip()
    dataset = f"{'T' if table.isdigit() else ''}{table} {row['dataset'].strip()}"
    return _Line(table, dataset, row["benchmark"].strip(), score, delta, line)


def _number(text: str, column: str, least: int, line: str) -> Decimal | None:
    plain = text.strip().replace("−", "-").removesuffix("%").strip()
    if plain in _MISSING:
        return None
    if not _NUMBER.fullmatch(plain):
        raise DataError(f"{line}: {column} is {text!r}, no number", remedy="write a number, or – where it is missing")
    number = Decimal(plain)
    if not least <= number <= 100:
        raise DataError(f"{line}: {column} is {text!r}, not from {least} to 100", remedy="give it in percent")
    return number


def _exponent(number: Decimal) -> int:
    return int(number.as_tuple().exponent)


def _names() -> str:
    return ", ".join(COLUMNS)

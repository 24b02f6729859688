"""A printed table of scores and deltas, read as it stands: nothing is corrected.

A CSV file with the columns `table`, `dataset`, `benchmark`, `score` and `delta`, in percent. A dash or nothing is a
value that is missing. Numbers are kept as printed, in units of the last place that the file uses, so that sums are
exact: where 50.5 stands among numbers of two places it is 50.50, its zero dropped.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.errors import DataError
from tasks.core.readers import read_file

COLUMNS = ("table", "dataset", "benchmark", "score", "delta")
_MISSING = ("", "-", "–", "—")
_NUMBER = re.compile(r"[+-]?\d{1,3}(\.\d{1,6})?")


class Row(NamedTuple):
    """One printed score with its delta, in units of the last place; both are there.

    Attributes:
        dataset: what was trained on, with its table: ``T4 Math-Retrieval``.
        line: where it stands in the file.
    """

    dataset: str
    benchmark: str
    score: int
    delta: int
    line: str

    @property
    def baseline(self) -> int:
        """The score that the delta is said to be measured from."""
        return self.score - self.delta


class Printed(NamedTuple):
    """A table: its rows, how many values are missing, and how many units make one point."""

    rows: tuple[Row, ...]
    missing: int
    units: int

    def points(self, units: int) -> float:
        """Return units of the last place as points."""
        return units / self.units


def read_printed(path: Path) -> Printed:
    """Return a printed table.

    Raises:
        DataError: naming the line: a column that is missing, text in a number, a number out of range, a row twice.
    """
    if path.suffix.lower() != ".csv":
        raise DataError(f"{path}: not a .csv file", remedy=f"write the table as CSV with the columns {_names()}")
    if not path.exists():
        raise DataError(f"{path} does not exist", remedy="name the table's file")
    found = [_numbers(raw.value, str(path.with_name(raw.origin)), raw.detail) for raw in read_file(path)]
    if not found:
        raise DataError(f"{path}: no rows", remedy=f"write the table with the columns {_names()}")
    places = max((-_exponent(number) for row in found for number in row[2:4] if number is not None), default=0)
    units = 10 ** max(0, places)
    rows, seen = [], dict[tuple[str, str], str]()
    for dataset, benchmark, score, delta, line in found:
        if (dataset, benchmark) in seen:
            raise DataError(
                f"{line}: {dataset} on {benchmark} a second time; the first is at {seen[dataset, benchmark]}",
                remedy="keep one row of each",
            )
        seen[dataset, benchmark] = line
        if score is not None and delta is not None:
            rows.append(Row(dataset, benchmark, int(score * units), int(delta * units), line))
    if not rows:
        raise DataError(f"{path}: no row has both a score and a delta", remedy="add them")
    return Printed(rows=tuple(rows), missing=len(found) - len(rows), units=units)


def _numbers(row: dict[str, Any] | None, line: str, why: str) -> tuple[str, str, Decimal | None, Decimal | None, str]:
    if row is None:
        raise DataError(f"{line}: {why or 'unreadable'}", remedy=f"give every row the columns {_names()}")
    if missing := [name for name in COLUMNS if name not in row]:
        raise DataError(
            f"{line}: no column {', '.join(missing)}; there is {', '.join(row)}",
            remedy=f"give it the columns {_names()}",
        )
    if empty := [name for name in COLUMNS[:3] if not row[name].strip()]:
        raise DataError(f"{line}: {' and '.join(empty)} is empty", remedy="say which score it is")
    score, delta = _number(row["score"], "score", 0, line), _number(row["delta"], "delta", -100, line)
    table = row["table"].strip()
    dataset = f"{'T' if table.isdigit() else ''}{table} {row['dataset'].strip()}"
    return dataset, row["benchmark"].strip(), score, delta, line


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

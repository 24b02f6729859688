"""Reads a study's own benchmark file, whatever its columns, into one shape: question, options, answer, cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from tasks.core.errors import DataError
from tasks.core.readers import read_file
from tasks.evaluate.config import BenchmarkConfig


@dataclass(frozen=True)
class CustomBenchmark:
    """A custom benchmark's rows and few-shot examples, and the letters of its options (empty for ``qa``)."""

    rows: list[dict[str, str]]
    examples: list[dict[str, str]]
    labels: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write ``rows.jsonl`` and, where there are any, ``examples.jsonl``."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("rows", self.rows), ("examples", self.examples)):
            if rows:
                lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def read_custom(benchmark: BenchmarkConfig) -> CustomBenchmark:
    """Read a custom benchmark's files.

    Raises:
        DataError: naming the file and line, and what is wrong there.
    """
    rows = _rows(benchmark, str(benchmark.file))
    examples = _rows(benchmark, benchmark.few_shot_file) if benchmark.few_shot_file else []
    if len(examples) < benchmark.few_shot:
        raise DataError(
            f"{benchmark.few_shot_file}: {len(examples)} examples for few_shot: {benchmark.few_shot}",
            remedy="add examples or lower few_shot",
        )
    if benchmark.kind == "qa":
        return CustomBenchmark(rows, examples, ())
    counts = {row["count"] for row in [*rows, *examples]}
    if len(counts) > 1:
        raise DataError(
            f"{benchmark.file}: rows have {', '.join(sorted(counts))} options", remedy="give all rows the same number"
        )
    labels = tuple(ascii_uppercase[: int(counts.pop())])
    return CustomBenchmark(rows, examples, labels)


def _rows(benchmark: BenchmarkConfig, name: str) -> list[dict[str, str]]:
    rows = [_row(benchmark, row, where) for where, row in _read(Path(name))]
    if not rows:
        raise DataError(f"{name} has no rows", remedy="a benchmark needs at least one question")
    return rows


def _row(benchmark: BenchmarkConfig, row: dict[str, Any], where: str) -> dict[str, str]:
    shaped = {"question": str(_value(row, benchmark.question, where)), "options": "", "count": "0"}
    answer = _value(row, benchmark.answer, where)
    if benchmark.kind == "choice":
        options = _options(benchmark, row, where)
        shaped["options"] = "\n".join(f"{ascii_uppercase[i]}. {option}" for i, option in enumerate(options))
        shaped["count"] = str(len(options))
        answer = _letter(answer, options, where)
    shaped["answer"] = str(answer)
    shaped["cluster"] = str(_value(row, benchmark.cluster, where)) if benchmark.cluster else ""
    return shaped


def _options(benchmark: BenchmarkConfig, row: dict[str, Any], where: str) -> list[str]:
    if isinstance(benchmark.choices, tuple):
        options = [str(_value(row, column, where)) for column in benchmark.choices]
    else:
        value = _value(row, benchmark.choices, where)
        if not isinstance(value, list):
            raise DataError(
                f"{where}: column {benchmark.choices!r} is not a list",
                remedy="set `choices` to a column with a list, or to a column an option: [a, b, c, d]",
            )
        options = [str(option) for option in value]
    if not 2 <= len(options) <= len(ascii_uppercase):
        raise DataError(f"{where}: {len(options)} options", remedy="give each question 2 to 26 options")
    return options


def _letter(answer: object, options: list[str], where: str) -> str:
    """The gold option's letter, from its position (a number), its text, or its letter."""
    text = str(answer).strip()
    if isinstance(answer, str) and options.count(text) == 1:
        return ascii_uppercase[options.index(text)]
    if len(text) == 1 and text.upper() in ascii_uppercase[: len(options)]:
        return text.upper()
    if text.isdigit() and int(text) < len(options):
        return ascii_uppercase[int(text)]
    raise DataError(
        f"{where}: answer {answer!r} is none of its {len(options)} options",
        remedy="give the option's text, its letter, or its position from 0",
    )


def _value(row: dict[str, Any], column: str, where: str) -> Any:
    value = row.get(column)
    if value is None or value == "":
        have = ", ".join(map(str, row))
        raise DataError(f"{where}: column {column!r} is missing or empty", remedy=f"the row has: {have}")
    return value


def _read(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each row is and the row. What training data may drop is an error here: an item would be missing."""
    for raw in read_file(path):
        where = str(path.parent / raw.origin)
        if raw.value is None:
            raise DataError(f"{where}: {raw.reason}: {raw.detail}", remedy="mend or remove the row")
        yield where, raw.value

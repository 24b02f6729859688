"""`assay judge`: a file of anyone's answers, one verdict an answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.errors import DataError
from tasks.core.identity import Frozen
from tasks.judge.config import JudgeConfig
from tasks.judge.consistency import Answer, judge_answers_of_a_row
from tasks.judge.engine import Comparer
from tasks.judge.equivalence import Equivalence
from tasks.judge.extract import extract
from tasks.judge.references import gold_answer
from tasks.judge.workers import Workers

_SHOWN = 5


class JudgedAnswer(Frozen):
    """The verdict on one answer: `line` of the file counts from 1, `index` within the line from 0."""

    line: int
    index: int
    verdict: str
    method: str
    answer: str | None
    gold: str | None
    evidence: str


class BadRow(Frozen):
    """A line that cannot be judged, and why."""

    line: int
    problem: str


class Totals(Frozen):
    """Answers by verdict, all of them, and the lines that could not be judged."""

    answers: int
    right: int
    wrong: int
    undecided: int
    bad_rows: int


class _Unusable(Exception):  # noqa: N818
    """A line that cannot be judged; the message says why."""


class _Row(NamedTuple):
    gold: str
    answers: list[str]


def judge_file(
    path: Path, gold: str, answer: str, config: JudgeConfig | None = None
) -> Iterator[JudgedAnswer | BadRow]:
    """Yield a verdict for every answer of a JSON Lines file, and the lines that have none, as they come.

    Args:
        gold: the field with the reference: an answer, or a solution that boxes or states one.
        answer: the field with the model's output, or a list of outputs.

    Raises:
        DataError: if the file cannot be read, or no line of it can be judged.
        EngineError: if Math-Verify cannot be loaded.
    """
    config = config or JudgeConfig()
    with Workers(1, config.deadline) as engine:
        yield from judge_lines(path, gold, answer, config, engine)


def judge_lines(
    path: Path, gold: str, answer: str, config: JudgeConfig, engine: Comparer
) -> Iterator[JudgedAnswer | BadRow]:
    """Yield what `judge_file` does, comparing by `engine` what spelling alone does not settle."""
    compare, judged, problems = Equivalence(engine).compare, 0, list[BadRow]()
    for line, text in _lines(path):
        try:
            row = _row(text, gold, answer)
        except _Unusable as problem:
            bad = BadRow(line=line, problem=str(problem))
            problems = [*problems, bad][:_SHOWN]
            yield bad
            continue
        judged += 1
        answers = [Answer(index, extract(text)) for index, text in enumerate(row.answers)]
        found, _ = judge_answers_of_a_row(gold_answer("", row.gold), answers, config, compare)
        for one in found:
            said = one.finding._asdict()
            yield JudgedAnswer(line=line, index=one.sample, answer=one.answer, gold=one.gold, **said)
    if not judged:
        seen = "; ".join(f"line {bad.line}: {bad.problem}" for bad in problems) or "it is empty"
        raise DataError(
            f"no row of {path} can be judged ({seen})",
            remedy="each line is a JSON object; name its fields with --gold and --answer",
        )


def totals(results: list[JudgedAnswer | BadRow]) -> Totals:
    """Return the counts of what was judged."""
    verdicts = Counter(result.verdict for result in results if isinstance(result, JudgedAnswer))
    return Totals(
        answers=verdicts.total(),
        bad_rows=len(results) - verdicts.total(),
        **{verdict: verdicts[verdict] for verdict in ("right", "wrong", "undecided")},
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise DataError(message, remedy="name a file of JSON lines, one object a line") from error


def _row(text: str, gold: str, answer: str) -> _Row:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Unusable(f"no JSON: {error}") from error
    if not isinstance(row, dict):
        raise _Unusable(f"a JSON {type(row).__name__}, not an object")
    outputs = _field(row, answer)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    if not outputs:
        raise _Unusable(f"field {answer!r} is an empty list")
    return _Row(_text(_field(row, gold), gold), [_text(output, answer) for output in outputs])


def _field(row: dict[str, Any], name: str) -> Any:
    if name not in row:
        raise _Unusable(f"no field {name!r}; it has {', '.join(map(repr, row)) or 'none'}")
    return row[name]


def _text(value: Any, field: str) -> str:
    """Return a text, or a number as it would be written."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()  # half of a surrogate pair can be printed nowhere
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise _Unusable(f"field {field!r} holds a {type(value).__name__} where a text is wanted")

"""Brings answers to their questions, on disk: neither table is sorted, and neither need fit in memory.

SQLite does the join, in a scratch file without journal or sync: a run that is killed starts it anew. Rows come out by
row id and sample, so the order and the sharding of what went in change nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from tasks.core.errors import IntegrityError
from tasks.core.rows import Row
from tasks.judge.consistency import Answer
from tasks.judge.extract import Extraction, extract
from tasks.judge.references import Gold, gold_answer

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE questions (row_id TEXT PRIMARY KEY, source TEXT, answer TEXT, kind TEXT, reason TEXT) WITHOUT ROWID;
CREATE TABLE answers (row_id TEXT, sample INT, answer TEXT, how TEXT, evidence TEXT, PRIMARY KEY (row_id, sample))
    WITHOUT ROWID;
"""
_JOINED = """
SELECT a.row_id, q.source, q.answer, q.kind, q.reason, a.sample, a.answer, a.how, a.evidence
FROM answers a LEFT JOIN questions q ON q.row_id = a.row_id ORDER BY a.row_id, a.sample
"""


class AnsweredRow(NamedTuple):
    """One question with its gold answer and everything that was answered, in the order of the samples."""

    row_id: str
    source: str
    gold: Gold
    answers: list[Answer]


class Join:
    """Takes questions and answers in any order and gives them back together; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Join:
        self._path.unlink(missing_ok=True)
        self._table = sqlite3.connect(self._path)
        self._table.executescript(_TABLES)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table.close()
        self._path.unlink(missing_ok=True)

    def add_questions(self, questions: Iterable[Row]) -> None:
        """Take rows of QUESTIONS."""
        rows = ((q["row_id"], q["source"], *gold_answer(q["question"] or "", q["reference"])) for q in questions)
        self._insert("questions", 5, rows, "a question")

    def add_answers(self, outcomes: Iterable[Row], *, needs_thinking: bool) -> None:
        """Take rows of OUTCOMES; of each, the final answer is kept."""
        rows = ((o["row_id"], o["sample"], *final_answer(o, needs_thinking=needs_thinking)) for o in outcomes)
        self._insert("answers", 5, rows, "one sample of a question")

    def rows(self) -> Iterator[AnsweredRow]:
        """Yield every answered question.

        Raises:
            IntegrityError: if an answer's question is not among the questions.
        """
        for row_id, group in groupby(self._table.execute(_JOINED), key=lambda row: str(row[0])):
            found = list(group)
            _, source, answer, kind, reason = found[0][:5]
            if kind is None:
                raise IntegrityError(
                    f"row {row_id} was answered and is not among the questions",
                    remedy="judge outcomes with the questions that they answer",
                )
            answers = [Answer(row[5], Extraction(*row[6:])) for row in found]
            yield AnsweredRow(row_id, source or "", Gold(answer, kind, reason), answers)

    def counts(self) -> tuple[int, int, int]:
        """Return how many questions were answered, how many were not, and how many have a reference."""
        questions = "SELECT count(*) FROM questions WHERE row_id {} (SELECT row_id FROM answers)"
        referenced = "SELECT count(*) FROM questions WHERE kind <> 'none'"
        answered, unanswered = questions.format("IN"), questions.format("NOT IN")
        first, second, third = (self._table.execute(q).fetchone()[0] for q in (answered, unanswered, referenced))
        return first, second, third

    def _insert(self, table: str, columns: int, rows: Iterable[tuple[object, ...]], what: str) -> None:
        try:
            self._table.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})", rows)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(f"{what} is there twice ({error})", remedy="make its table anew") from error


def final_answer(outcome: Row, *, needs_thinking: bool) -> Extraction:
    """Return the final answer of one row of OUTCOMES; what was cut at the limit has none, whatever it says so far."""
    if outcome["finish"] == "length":
        return Extraction(None, "truncated", "cut at the limit of output tokens")
    return extract(outcome["text"] or "", needs_thinking=needs_thinking)

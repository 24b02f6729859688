"""From verdicts to records: the answers that are trained on, and the questions that a model fails.

Verdicts come sorted by row id, questions and answers in the order they were asked. What the verdicts choose is
therefore laid on disk, and the questions are written in their own order, one row in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from tasks.core.rows import Row
from tasks.core.text import spelling
from tasks.judge.config import KeepConfig
from tasks.judge.disk_map import DiskMap
from tasks.judge.keep import keep_one

_THINKING_ENDS = "</think>"


def failed(verdicts: Iterable[Mapping[str, Any]], wrong: int) -> Iterator[tuple[str, int]]:
    """Yield (row id, wrong answers) of the questions that got `wrong` or more wrong answers.

    An answer that was cut, or that states none, is wrong where there is a reference that it could have met; one that
    rules cannot compare is not.
    """
    for row_id, group in groupby(verdicts, key=lambda row: str(row["row_id"])):
        count = sum(row["verdict"] == "wrong" or (row["answer"] is None and row["gold"] is not None) for row in group)
        if count >= wrong:
            yield row_id, count


def kept_records(
    questions: Iterable[Mapping[str, Any]],
    outcomes: Iterable[Mapping[str, Any]],
    verdicts: Iterable[Mapping[str, Any]],
    originals: Iterable[Mapping[str, Any]] | None,
    config: KeepConfig,
    scratch: Path,
) -> Iterator[Row]:
    """Yield a record (RECORDS), or a drop (DROPS), for each question: its text and the answer that is kept.

    `outcomes` are in the order of `questions`, those of one question together, as `generate` publishes them.
    `originals` are records with the answers that the questions came with, None where those are the references.
    """
    with DiskMap(scratch / "kept.sqlite") as chosen, DiskMap(scratch / "originals.sqlite") as came_with:
        chosen.put(((row_id, 0), sample) for row_id, sample in keep_one(verdicts, config.seed))
        came_with.put(_answers(originals or ()))
        answered = _Groups(outcomes)
        for question in questions:
            answers = answered.of(question["row_id"])
            if not answers:
                yield _drop(question, "not answered", "see the drops of its requests")
            elif (sample := chosen.get(question["row_id"], 0)) is None:
                yield _drop(question, "no answer held up", f"of {len(answers)}; see its verdicts")
            elif (text := _text(question, answers[sample], config, None if originals is None else came_with)) is None:
                yield _drop(question, "no original answer", "it came without one")
            else:
                yield _record(question, text)


def failed_records(
    questions: Iterable[Mapping[str, Any]], verdicts: Iterable[Mapping[str, Any]], wrong: int, scratch: Path
) -> Iterator[Row]:
    """Yield a record (RECORDS) of each question that a model fails, with its reference for an answer, or a drop."""
    with DiskMap(scratch / "failed.sqlite") as chosen:
        chosen.put(((row_id, 0), count) for row_id, count in failed(verdicts, wrong))
        for question in questions:
            if chosen.get(question["row_id"], 0) is None:
                yield _drop(question, "no weakness", f"fewer than {wrong} wrong answers")
            else:
                yield _record(question, question["reference"])


class _Groups:
    """Rows in groups of one row id, asked for in the order they come; groups may be missing."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        grouped = groupby(rows, key=lambda row: row["row_id"])
        self._groups = ((row_id, {row["sample"]: row for row in group}) for row_id, group in grouped)
        self._next = next(self._groups, None)

    def of(self, row_id: str) -> dict[int, Mapping[str, Any]]:
        if self._next is None or self._next[0] != row_id:
            return {}
        found = self._next[1]
        self._next = next(self._groups, None)
        return found


def _answers(originals: Iterable[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, int], str]]:
    for record in originals:
        turns = {turn["role"]: turn["content"] for turn in record["messages"] or ()}
        if turns.keys() >= {"user", "assistant"}:
            yield (spelling(turns["user"]), 0), turns["assistant"]


def _text(
    question: Mapping[str, Any], outcome: Mapping[str, Any], config: KeepConfig, came_with: DiskMap | None
) -> str | None:
    if config.answers == "original":
        found = came_with.get(spelling(question["question"]), 0) if came_with else question["reference"]
        return None if found is None else str(found)
    text = str(outcome["text"])
    return (text if config.reasoning == "kept" else text.rpartition(_THINKING_ENDS)[2]).strip()


def _record(question: Mapping[str, Any], answer: str) -> Row:
    turns = [{"role": "user", "content": question["question"]}, {"role": "assistant", "content": answer}]
    return {**_origin(question), "text": None, "messages": turns}


def _drop(question: Mapping[str, Any], reason: str, detail: str) -> Row:
    return {**_origin(question), "reason": reason, "detail": detail}


def _origin(question: Mapping[str, Any]) -> dict[str, Any]:
    return {key: question[key] for key in ("row_id", "source", "origin")}

"""The prompt tasks: records into questions, questions into requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prefect import task

from tasks.core.errors import DataError
from tasks.core.rows import OUTCOMES, QUESTIONS, RECORDS, REQUESTS, Row, read_rows, write_kept, write_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.core.text import spelling
from tasks.prompt.artifact import new_problems_identity, prompt_identity, questions_identity
from tasks.prompt.config import PromptConfig
from tasks.prompt.questions import NoQuestion, to_question
from tasks.prompt.requests import requests
from tasks.prompt.similar import NoProblem, problem_record

_UNREFERENCED = "no reference"


@task(name="questions", task_run_name="questions of {name}")
def as_questions(name: str, records: ArtifactRef, store_root: Path, needs_reference: bool = False) -> ArtifactRef:
    """Publish the questions of records (QUESTIONS), with what asks none, or asks again, under ``dropped/`` (DROPS).

    A row that stands there twice, word for word, has one id, by which answers find it: it is asked once.

    Args:
        needs_reference: drop questions without a reference, since nothing could be said of their answers.

    Raises:
        DataError: if no record asks anything, or none has the reference that it needs.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        rows = _questions(read_rows(store.folder(records), RECORDS), needs_reference)
        draft.num_rows, reasons = write_kept(draft.folder, rows, QUESTIONS)
        if draft.num_rows == 0:
            raise _nothing_to_ask(name, reasons)
        draft.num_dropped, draft.columns = reasons.total(), QUESTIONS
        draft.sources = {"records": records.path}
        draft.provenance = {"dropped": dict(reasons)}

    return store.produce(questions_identity(records, needs_reference), build)


def _questions(records: Iterable[Row], needs_reference: bool) -> Iterator[Row]:
    """Yield the question of each record, or why it asks none that is wanted, as a row of DROPS."""
    asked = set[str]()
    for record in records:
        try:
            question = to_question(record)
            if record["row_id"] in asked:
                raise NoQuestion("asked already")
            if needs_reference and not (question["reference"] or "").strip():
                raise NoQuestion(_UNREFERENCED)
            asked.add(record["row_id"])
            yield question
        except NoQuestion as problem:
            own = {key: record[key] for key in ("row_id", "source", "origin")}
            yield {**own, "reason": problem.reason, "detail": ""}


def _nothing_to_ask(name: str, reasons: Counter[str]) -> DataError:
    if count := reasons[_UNREFERENCED]:
        return DataError(
            f"{name}: no question has a reference, so none of {count} could be judged by one",
            remedy="give references, or judge by agreement (mode `self`, with 4 samples a question)",
        )
    return DataError(
        f"{name}: none of its {reasons.total()} rows is a question",
        remedy="name the columns that hold question and reference with `columns:`",
    )


@task(name="prompt", task_run_name="prompt {name}")
def ask(name: str, config: PromptConfig, questions: ArtifactRef, store_root: Path) -> ArtifactRef:  # noqa: ARG001
    """Publish the requests (REQUESTS) that questions make, those of one question together."""
    store = Store(store_root)

    def build(draft: Draft) -> None:
        draft.num_rows = write_rows(draft.folder, _each(store.folder(questions), config), REQUESTS)
        draft.columns, draft.sources = REQUESTS, {"questions": questions.path}

    return store.produce(prompt_identity(config, questions), build)


@task(name="problems", task_run_name="new problems of {name}")
def new_problems(
    name: str, largest_overlap: float, questions: ArtifactRef, outcomes: ArtifactRef, store_root: Path
) -> ArtifactRef:
    """Publish the new problems that a model wrote (RECORDS without answers), and what is none as drops (DROPS).

    A problem's `origin` names the row that it was made from. `outcomes` are in the order of `questions`.

    Raises:
        DataError: if there is not one.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        rows = _problems(name, largest_overlap, store.folder(questions), store.folder(outcomes))
        draft.num_rows, reasons = write_kept(draft.folder, rows, RECORDS)
        if draft.num_rows == 0:
            raise DataError(
                f"{name}: none of {reasons.total()} answers holds a new problem",
                remedy="look at the answers; the writer must follow the template's <problem> and </problem>",
            )
        draft.num_dropped, draft.columns = reasons.total(), RECORDS
        draft.sources = {"questions": questions.path, "outcomes": outcomes.path}
        draft.provenance = {"dropped": dict(reasons)}

    return store.produce(new_problems_identity(name, largest_overlap, questions, outcomes), build)


def _problems(name: str, largest_overlap: float, questions: Path, outcomes: Path) -> Iterator[Row]:
    """Yield the new problem of each outcome as a record, or why it holds none, as a row of DROPS."""
    seeds = {spelling(row["question"]) for row in read_rows(questions, ["question"])}
    sources = read_rows(questions, QUESTIONS)
    source = next(sources)
    for outcome in read_rows(outcomes, OUTCOMES):
        while source["row_id"] != outcome["row_id"]:
            source = next(sources)
        try:
            yield problem_record(name, source, outcome, largest_overlap, seeds)
        except NoProblem as problem:
            origin = f"{outcome['row_id']}#{outcome['sample']}"
            row = {"row_id": None, "source": name, "origin": origin}
            yield {**row, "reason": problem.reason, "detail": problem.detail}


def _each(folder: Path, config: PromptConfig) -> Iterator[Any]:
    for question in read_rows(folder, QUESTIONS):
        yield from requests(question, config)

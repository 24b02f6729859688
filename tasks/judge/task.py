"""The judge tasks: outcomes into verdicts, and what rules leave undecided to a language model and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import groupby, islice
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.core.errors import DataError
from tasks.core.rows import (
    GRADES,
    OUTCOMES,
    QUESTIONS,
    RECORDS,
    REQUESTS,
    VERDICTS,
    Row,
    RowWriter,
    read_rows,
    write_kept,
    write_rows,
)
from tasks.core.store import ArtifactRef, Draft, Store, write_json
from tasks.judge.artifact import (
    SUMMARY_FILE,
    failures_identity,
    identity,
    keep_identity,
    read_summary,
    requests_identity,
    settled_identity,
)
from tasks.judge.config import JudgeConfig, KeepConfig
from tasks.judge.consistency import Agreement, Compare, Judged, judge_answers_of_a_row
from tasks.judge.disk_map import DiskMap
from tasks.judge.engine import Finding
from tasks.judge.equivalence import Equivalence
from tasks.judge.join import AnsweredRow, Join
from tasks.judge.kept import failed_records, kept_records
from tasks.judge.language_model import judge_requests, settle
from tasks.judge.references import gold_answer
from tasks.judge.regrade import DEADLINE, GRADER, RegradeJob, graded_rows, regrade_identity, summary
from tasks.judge.retention import Summary, Tally
from tasks.judge.workers import Workers

_WINDOW = 512
_OF_OUTCOMES = ("row_id", "sample", "text", "finish")  # log-probabilities would be most of the table
_OF_SCORES = ("benchmark", "item", "correct", "prediction", "gold")


class Progress(NamedTuple):
    """How far judging is: questions done of all, and how many a second."""

    done: int
    total: int
    rows_per_second: float


Report = Callable[[Progress], None]


@task(name="judge", task_run_name="judge {name}", cache_policy=NO_CACHE)  # the store is the cache
def judge_answers(
    name: str,
    config: JudgeConfig,
    outcomes: ArtifactRef,
    references: ArtifactRef,
    store_root: Path,
    *,
    samples: int | None = None,
    workers: int = 1,
    report: Report | None = None,
) -> ArtifactRef:
    """Publish a verdict, with its evidence, on every answer (VERDICTS, by row id and sample) and ``summary.json``.

    Args:
        outcomes: what a model answered (OUTCOMES).
        references: the questions (QUESTIONS), each with its reference or null.
        samples: answers that each question was asked for; those that never came count against a majority.
        workers: processes that compare what spelling alone does not settle.

    Raises:
        DataError: in mode `reference`, if no question has a reference.
        IntegrityError: if an answer's question is not there, or anything is there twice.
        EngineError: if Math-Verify cannot be loaded.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        with Join(draft.scratch / "join.sqlite") as join, Workers(workers, config.deadline) as engine:
            join.add_questions(read_rows(store.folder(references), QUESTIONS))
            join.add_answers(read_rows(store.folder(outcomes), _OF_OUTCOMES), needs_thinking=config.needs_thinking)
            write_verdicts(name, join, config, Equivalence(engine).compare, draft, samples, workers, report)
        draft.sources = {"outcomes": outcomes.path, "references": references.path}
        draft.provenance["engines"] = {package: version(package) for package in ("math-verify", "sympy")}

    return store.produce(identity(config, outcomes, references, samples), build)


def write_verdicts(
    name: str,
    join: Join,
    config: JudgeConfig,
    compare: Compare,
    draft: Draft,
    samples: int | None,
    workers: int,
    report: Report | None,
) -> None:
    """Judge every answered question of `join` and write the verdicts and their summary into `draft`."""
    answered, unanswered, referenced = join.counts()
    if config.mode == "reference" and answered and not referenced:
        raise DataError(
            f"{name}: no question has a reference, so none of {answered} can be judged by one",
            remedy="judge by agreement (mode `self`, with 4 samples a question), or give references",
        )
    tally, started = Tally(), monotonic()
    with RowWriter(draft.folder, VERDICTS) as writer:
        for done, (row, judged, agreement) in enumerate(
            _judged(join.rows(), config, compare, samples, workers), start=1
        ):
            tally.add(row.gold.kind, row.source, [one.finding for one in judged], agreement)
            for one in judged:
                writer.write(_verdict(row.row_id, one))
            if report is not None and (done % _WINDOW == 0 or done == answered):
                report(Progress(done, answered, done / max(monotonic() - started, 1e-9)))
    _finish(draft, writer.count, tally.summary(unanswered), name)


def _judged(
    rows: Iterator[AnsweredRow], config: JudgeConfig, compare: Compare, samples: int | None, workers: int
) -> Iterator[tuple[AnsweredRow, list[Judged], Agreement | None]]:
    """Judge a window of questions at a time, in as many threads as there are workers; in order."""
    with ThreadPoolExecutor(workers) as threads:
        while window := list(islice(rows, _WINDOW)):
            found = threads.map(
                lambda row: judge_answers_of_a_row(row.gold, row.answers, config, compare, samples), window
            )
            for row, (judged, agreement) in zip(window, found, strict=True):
                yield row, judged, agreement


def _verdict(row_id: str, one: Judged) -> dict[str, object]:
    finding = one.finding._asdict()
    return {"row_id": row_id, "sample": one.sample, "answer": one.answer, "gold": one.gold, **finding}


def _finish(draft: Draft, count: int, summary: Summary, name: str) -> None:
    write_json(draft.folder / SUMMARY_FILE, summary.model_dump())
    draft.num_rows, draft.columns = count, VERDICTS
    draft.provenance |= {"source": name, "summary": summary.total.model_dump()}


@task(name="judge requests", task_run_name="judge requests {name}", cache_policy=NO_CACHE)
def request_verdicts(
    name: str, verdicts: ArtifactRef, outcomes: ArtifactRef, references: ArtifactRef, store_root: Path
) -> ArtifactRef:
    """Publish what to ask a language model (REQUESTS) about the verdicts that rules left undecided.

    Args:
        verdicts: what `judge_answers` published of these outcomes and references.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        read = [(verdicts, VERDICTS), (references, QUESTIONS), (outcomes, _OF_OUTCOMES)]
        with DiskMap(draft.scratch / "open.sqlite") as cases:
            requests = judge_requests(cases, *(read_rows(store.folder(ref), columns) for ref, columns in read))
            draft.num_rows, draft.columns = write_rows(draft.folder, requests, REQUESTS), REQUESTS
        draft.sources, draft.provenance = {"verdicts": verdicts.path}, {"source": name}

    return store.produce(requests_identity(verdicts, outcomes, references), build)


@task(name="judge settled", task_run_name="judge settled {name}", cache_policy=NO_CACHE)
def settle_verdicts(
    name: str, verdicts: ArtifactRef, answers: ArtifactRef, references: ArtifactRef, store_root: Path
) -> ArtifactRef:
    """Publish all verdicts again (VERDICTS), the undecided ones as a language model decided them, and the summary.

    Args:
        answers: what the language model answered (OUTCOMES) to the requests of `request_verdicts`.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        tally = Tally()
        with (
            DiskMap(draft.scratch / "said.sqlite") as said,
            DiskMap(draft.scratch / "kinds.sqlite") as kinds,
            RowWriter(draft.folder, VERDICTS) as writer,
        ):
            kinds.put(_kinds(read_rows(store.folder(references), QUESTIONS)))
            by_rules = read_rows(store.folder(verdicts), VERDICTS)
            answered = read_rows(store.folder(answers), _OF_OUTCOMES)
            for row_id, group in groupby(settle(said, by_rules, answered), key=lambda row: str(row["row_id"])):
                settled = list(group)
                kind, source = kinds.get(row_id, 0)
                tally.add(kind, source, [Finding(row["verdict"], row["method"], row["evidence"]) for row in settled])
                for row in settled:
                    writer.write(row)
        rules = read_summary(store, verdicts)
        _finish(draft, writer.count, tally.summary(rules.unanswered, rules.agreement), name)
        draft.sources = {"verdicts": verdicts.path, "answers": answers.path}

    return store.produce(settled_identity(verdicts, answers), build)


def _kinds(questions: Iterable[Row]) -> Iterator[tuple[tuple[str, int], list[str]]]:
    """Yield the type of each question's reference and its source."""
    for question in questions:
        kind = gold_answer(question["question"] or "", question["reference"]).kind
        yield (question["row_id"], 0), [kind, question["source"] or ""]


@task(name="keep", task_run_name="keep {name}")
def keep_answers(
    name: str,
    config: KeepConfig,
    questions: ArtifactRef,
    outcomes: ArtifactRef,
    verdicts: ArtifactRef,
    store_root: Path,
    originals: ArtifactRef | None = None,
) -> ArtifactRef:
    """Publish one right answer a question (RECORDS), and the questions without one as drops (DROPS).

    Args:
        originals: records with the answers that the questions came with, where their references are not these.

    Raises:
        DataError: if no answer held up.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        asked = read_rows(store.folder(questions), QUESTIONS)
        answered = read_rows(store.folder(outcomes), OUTCOMES)
        judged = read_rows(store.folder(verdicts), VERDICTS)
        came_with = read_rows(store.folder(originals), RECORDS) if originals else None
        _write_kept(name, kept_records(asked, answered, judged, came_with, config, draft.scratch), draft)
        draft.sources = {"outcomes": outcomes.path, "verdicts": verdicts.path, "questions": questions.path}

    return store.produce(keep_identity(config, questions, outcomes, verdicts, originals), build)


@task(name="failures", task_run_name="failures {name}")
def keep_failures(
    name: str, wrong: int, questions: ArtifactRef, verdicts: ArtifactRef, store_root: Path
) -> ArtifactRef:
    """Publish the questions with `wrong` or more wrong answers, with their references (RECORDS); the others are drops.

    Raises:
        DataError: if there is none.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        tables = (read_rows(store.folder(questions), QUESTIONS), read_rows(store.folder(verdicts), VERDICTS))
        _write_kept(name, failed_records(*tables, wrong, draft.scratch), draft)
        draft.sources = {"questions": questions.path, "verdicts": verdicts.path}

    return store.produce(failures_identity(wrong, questions, verdicts), build)


def _write_kept(name: str, rows: Iterable[Row], draft: Draft) -> None:
    kept, reasons = write_kept(draft.folder, rows, RECORDS)
    if kept == 0:
        raise DataError(
            f"{name}: nothing of {reasons.total()} questions is kept ({', '.join(reasons)})",
            remedy="look at the verdicts of its answers: `assay review` shows a sample of them",
        )
    draft.num_rows, draft.num_dropped, draft.columns = kept, reasons.total(), RECORDS
    draft.provenance = {"dropped": dict(reasons)}


@task(name="regrade", cache_policy=NO_CACHE)  # the store is the cache
def regrade_scores(
    jobs: Sequence[RegradeJob], store_root: Path, *, workers: int = 1, report: Report | None = None
) -> list[ArtifactRef]:
    """Return the answers of each table of scores as Math-Verify grades them (GRADES), in the jobs' order.

    Tables whose grades are in the store are not read; `workers` processes compare. `report` counts tables, and answers
    a second.

    Raises:
        EngineError: if Math-Verify cannot be loaded.
    """
    store, started, answers = Store(store_root), monotonic(), 0
    refs = list[ArtifactRef]()
    with Workers(workers, DEADLINE) as engine:
        compare = Equivalence(engine).compare  # it remembers: all arms give many of the same answers
        for done, job in enumerate(jobs, start=1):
            refs.append(_regraded(job, store, compare, workers))
            answers += refs[-1].num_rows
            if report is not None:
                report(Progress(done, len(jobs), answers / max(monotonic() - started, 1e-9)))
    return refs


def _regraded(job: RegradeJob, store: Store, compare: Compare, workers: int) -> ArtifactRef:
    def build(draft: Draft) -> None:
        scored = read_rows(store.folder(job.scores), _OF_SCORES)
        rows = list(graded_rows(scored, job.config, compare, workers))
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, GRADES), GRADES
        draft.sources = {"scores": job.scores.path}
        engines = {package: version(package) for package in ("math-verify", "sympy")}
        draft.provenance = {"grader": GRADER, "source": job.name, "engines": engines, **summary(rows)}

    return store.produce(regrade_identity(job), build)

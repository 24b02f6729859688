r"""Stored answers to a benchmark, graded a second time: by the judge's own reading and Math-Verify.

The benchmark's grading has its own way to find an answer (the last number, a regular expression, a box) and to compare
it (as text, as a number). This one shares nothing with it: a final answer is extracted as the judge extracts it, and
compared by spelling and then by algebra, in worker processes. Where the two disagree on a few answers, a delta can
depend on the grader and not on the model; `compare` gives both.

A base model goes on with a question of its own, whose answer is not the one asked for: what it writes from the next
"Question:" on does not count. A chat model that writes one repeats what it was asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

from tasks.core.identity import Frozen, Identity
from tasks.core.store import ArtifactRef
from tasks.judge.config import STAGE_VERSION
from tasks.judge.consistency import Compare
from tasks.judge.extract import extract
from tasks.judge.references import gold_answer

REGRADE_STAGE = "regrade"
#: What the grader is called wherever its word is shown.
GRADER = "math-verify"
#: Processor seconds that one comparison may take; a slow machine changes no grade.
DEADLINE = 5.0
#: A person who settles a disagreement looks at the end of what was written; all of it is in the scores.
_SHOWN = 300
_NEXT_QUESTION = re.compile(r"\n\s*(?:Question|Problem|Q|问题|题目)\s*\d*\s*[:：]")


class RegradeConfig(Frozen):
    """How the answers of one benchmark are read.

    Attributes:
        pattern: a regular expression that finds the passage with the answer, where the benchmark declares one; its last
            match counts, by its first group if it has one.
        profile: ``base`` where the model was asked as a base model, which may go on with a question of its own.
    """

    pattern: str | None = None
    profile: Literal["base", "chat"] = "base"


class RegradeJob(Frozen):
    """One table of scores to be graded again.

    Attributes:
        name: whose scores they are, and on what, for people.
        scores: an artifact of SCORES.
    """

    name: str
    scores: ArtifactRef
    config: RegradeConfig


class Grade(NamedTuple):
    """Whether one answer is right.

    Attributes:
        correct: 1 or 0; None where no rule can tell.
        method: what decided, or why nothing could; see `tasks.judge.engine.Finding` and `tasks.judge.extract`.
        evidence: what it saw, for a person to read.
    """

    correct: float | None
    method: str
    evidence: str


def regrade_identity(job: RegradeJob) -> Identity:
    """Return what a second grading is: how answers are read and compared, and the scores with their texts."""
    return Identity.of(REGRADE_STAGE, STAGE_VERSION, job.config, {"scores": job.scores.digest})


def grade(prediction: str, gold: str, config: RegradeConfig, compare: Compare) -> Grade:
    """Return whether `prediction` gives the answer that `gold` gives.

    An answer that is not there, or that was cut before it came, is wrong. Where the reference gives none that rules can
    compare, or a comparison fails, nothing can be told.
    """
    passage = _passage(prediction, config.pattern)
    if passage is not None and config.profile == "base":
        passage = _before_next_question(passage)
    found = extract(passage) if passage is not None else None
    reference = gold_answer("", _passage(gold, config.pattern) or gold)
    if reference.answer is None:
        return Grade(None, reference.reason, "nothing to compare with")
    if found is None:
        return Grade(0.0, "no answer", "the benchmark's pattern finds none")
    if found.answer is None:
        return Grade(0.0, found.how, found.evidence)
    verdict, method, evidence = compare(reference.answer, found.answer)
    correct = {"right": 1.0, "wrong": 0.0, "undecided": None}[verdict]
    return Grade(correct, method, f"{found.how}; {evidence}")


def graded_rows(
    rows: Iterable[dict[str, Any]], config: RegradeConfig, compare: Compare, workers: int
) -> Iterator[dict[str, Any]]:
    """Yield a row of GRADES for each row of SCORES, in order; `compare` is used from `workers` threads at once."""

    def graded(row: dict[str, Any]) -> dict[str, Any]:
        prediction, gold = row["prediction"] or "", row["gold"] or ""
        named = {"benchmark": row["benchmark"], "item": row["item"], "scored": row["correct"]}
        shown = {"prediction": prediction[-_SHOWN:], "gold": gold[-_SHOWN:]}
        return named | shown | grade(prediction, gold, config, compare)._asdict()

    with ThreadPoolExecutor(workers) as threads:
        yield from threads.map(graded, rows)


def summary(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return what is worth knowing of a table of GRADES: its accuracy where it could tell, and how often it differs."""
    known = [row for row in rows if row["correct"] is not None]
    right = math.fsum(row["correct"] for row in known)
    return {
        "accuracy": round(100 * right / len(known), 6) if known else None,
        "decided": len(known),
        "disagreements": sum(row["correct"] != row["scored"] for row in known),
    }


def _passage(text: str, pattern: str | None) -> str | None:
    """Return what a benchmark's own pattern finds, or None; all of the text where it has none."""
    if pattern is None:
        return text
    found = list(re.finditer(pattern, text))
    return (found[-1].group(1 if found[-1].re.groups else 0) or "") if found else None


def _before_next_question(text: str) -> str:
    """Return an answer without the next question that the model asked itself."""
    begun = _NEXT_QUESTION.search(text)
    return text[: begun.start()] if begun and text[: begun.start()].strip() else text

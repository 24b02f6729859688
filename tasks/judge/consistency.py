"""From what was found of single answers to what is kept of a question: the modes, the threshold and ties.

A question's answers are sorted into classes of equal ones, each compared with the first answer of every class so far;
the largest class is the majority (self-consistency: Wang et al., arXiv:2203.11171).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tasks.judge.config import JudgeConfig
from tasks.judge.engine import Finding, Verdict
from tasks.judge.extract import Extraction
from tasks.judge.references import Gold

Compare = Callable[[str, str], Finding]


class Answer(NamedTuple):
    """One answer to a question: which sample it is, and what was extracted from it."""

    sample: int
    found: Extraction


class Judged(NamedTuple):
    """What is said of one answer; `gold` is what it was compared with, None where there was nothing."""

    sample: int
    answer: str | None
    gold: str | None
    finding: Finding


class Agreement(NamedTuple):
    """How far the answers of one question agree.

    Attributes:
        answer: the majority's first answer, or None where no majority is accepted.
        members: the samples of the largest class.
        share: its share (0 to 1) of all answers asked for, those without a final answer among them.
        reason: ``too few answers``, ``tie`` or ``no majority`` where none is accepted; empty otherwise.
    """

    answer: str | None
    members: frozenset[int]
    share: float
    reason: str


def judge_answers_of_a_row(
    gold: Gold, answers: Sequence[Answer], config: JudgeConfig, compare: Compare, samples: int | None = None
) -> tuple[list[Judged], Agreement | None]:
    """Return what is said of each answer to one question, and how far they agree (None where the mode does not ask).

    `samples` is how many answers were asked for, where some may never have come.
    """
    asked = max(samples or 0, len(answers))
    if config.mode == "none":
        return [_unfiltered(gold, answer) for answer in answers], None
    if config.mode == "reference":
        return [_by_reference(gold, answer, compare) for answer in answers], None
    agreement = agree(answers, config, compare, asked)
    judged = [_by_majority(agreement, answer, asked) for answer in answers]
    if config.mode == "both" and gold.kind != "none":
        judged = [
            _both(_by_reference(gold, answer, compare), of_majority)
            for answer, of_majority in zip(answers, judged, strict=True)
        ]
    return judged, agreement


def agree(answers: Sequence[Answer], config: JudgeConfig, compare: Compare, asked: int) -> Agreement:
    """Return the majority of a question's answers, of which `asked` were wanted."""
    classes = list[list[Answer]]()
    for answer in answers:
        if answer.found.answer is not None:
            _class_of(answer, classes, compare).append(answer)
    if sum(map(len, classes)) < config.k:
        return Agreement(None, frozenset(), 0.0, "too few answers")
    largest = max(classes, key=len)  # the first of several
    share, members = len(largest) / asked, frozenset(answer.sample for answer in largest)
    if config.tie == "drop" and sum(len(one) == len(largest) for one in classes) > 1:
        return Agreement(None, members, share, "tie")
    if share < config.threshold:
        return Agreement(None, members, share, "no majority")
    return Agreement(largest[0].found.answer, members, share, "")


def _class_of(answer: Answer, classes: list[list[Answer]], compare: Compare) -> list[Answer]:
    for one in classes:
        if compare(str(one[0].found.answer), str(answer.found.answer)).verdict == "right":
            return one
    classes.append([])
    return classes[-1]


def _by_reference(gold: Gold, answer: Answer, compare: Compare) -> Judged:
    text, how, evidence = answer.found
    if text is None:
        return Judged(answer.sample, None, gold.answer, Finding("undecided", how, evidence))
    if gold.answer is None:
        return Judged(answer.sample, text, None, Finding("undecided", gold.reason, f"{how}; nothing to compare with"))
    found = compare(gold.answer, text)
    return Judged(answer.sample, text, gold.answer, found._replace(evidence=f"{how}; {found.evidence}"))


def _unfiltered(gold: Gold, answer: Answer) -> Judged:
    text, how, evidence = answer.found
    verdict: Verdict = "undecided" if how == "truncated" else "right"
    method = how if verdict == "undecided" else "unfiltered"
    return Judged(answer.sample, text, gold.answer, Finding(verdict, method, evidence or how))


def _by_majority(agreement: Agreement, answer: Answer, asked: int) -> Judged:
    text, how, evidence = answer.found
    if text is None:
        return Judged(answer.sample, None, agreement.answer, Finding("undecided", how, evidence))
    counted = f"{how}; the largest class of equal answers has {len(agreement.members)} of {asked}"
    if agreement.answer is None:
        return Judged(answer.sample, text, None, Finding("undecided", agreement.reason, counted))
    verdict: Verdict = "right" if answer.sample in agreement.members else "wrong"
    return Judged(answer.sample, text, agreement.answer, Finding(verdict, "self", counted))


def _both(by_reference: Judged, by_majority: Judged) -> Judged:
    """Return the reference's word where the majority accepts the answer, and the majority's where it does not."""
    if by_majority.finding.verdict != "right":
        return by_majority._replace(gold=by_reference.gold)
    evidence = f"{by_reference.finding.evidence}; {by_majority.finding.evidence.partition('; ')[2]}"
    return by_reference._replace(finding=by_reference.finding._replace(evidence=evidence))

"""What judging keeps, counted by the type of the reference and by source."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from tasks.core.identity import Frozen
from tasks.judge.consistency import Agreement
from tasks.judge.engine import Finding


class Retention(Frozen):
    """How much of a group of questions is kept.

    Attributes:
        questions: those that were answered.
        kept: those with at least one right answer.
        answers: all answers to them; `right`, `wrong` and `undecided` add up to it.
    """

    questions: int = 0
    kept: int = 0
    answers: int = 0
    right: int = 0
    wrong: int = 0
    undecided: int = 0


class AgreementSummary(Frozen):
    """How far the answers of a question agree: over `questions`, the mean share (0 to 1) of the largest class, and how
    many questions had one class only; `refused` counts those without an accepted majority, by reason."""

    questions: int
    mean_share: float
    unanimous: int
    refused: dict[str, int]


class Summary(Frozen):
    """What was judged.

    Attributes:
        unanswered: questions that no answer came for.
        methods: how many verdicts each method gave, or each reason for none; truncated and missing answers among them.
        by_reference: retention by type of reference: none, word, short, long.
        by_source: retention by source.
        agreement: None in mode `reference`, which compares no answer with another.
    """

    total: Retention
    unanswered: int
    methods: dict[str, dict[str, int]]
    by_reference: dict[str, Retention]
    by_source: dict[str, Retention]
    agreement: AgreementSummary | None = None


class Tally:
    """Counts judged questions into a `Summary`."""

    def __init__(self) -> None:
        self._groups = defaultdict[tuple[str, str], Counter[str]](Counter)
        self._methods = defaultdict[str, Counter[str]](Counter)
        self._refused = Counter[str]()
        self._shares, self._unanimous, self._agreements = 0.0, 0, 0

    def add(self, kind: str, source: str, findings: Sequence[Finding], agreement: Agreement | None = None) -> None:
        """Count one question with what was found of its answers."""
        counts = Counter[str](finding.verdict for finding in findings)
        counts.update(questions=1, kept=int(counts["right"] > 0), answers=len(findings))
        for group in (("total", ""), ("reference", kind), ("source", source)):
            self._groups[group].update(counts)
        for finding in findings:
            self._methods[finding.verdict][finding.method] += 1
        if agreement is not None:
            self._agreements, self._shares = self._agreements + 1, self._shares + agreement.share
            self._unanimous += agreement.share == 1
            self._refused[agreement.reason] += bool(agreement.reason)

    def summary(self, unanswered: int, agreement: AgreementSummary | None = None) -> Summary:
        """Return what was counted; `agreement` is that of an earlier summary, where none was counted here."""
        return Summary(
            total=Retention(**self._groups["total", ""]),
            unanswered=unanswered,
            methods={verdict: dict(sorted(counts.items())) for verdict, counts in sorted(self._methods.items())},
            by_reference=self._by("reference"),
            by_source=self._by("source"),
            agreement=self._agreement() or agreement,
        )

    def _by(self, what: str) -> dict[str, Retention]:
        return {name: Retention(**counts) for (group, name), counts in sorted(self._groups.items()) if group == what}

    def _agreement(self) -> AgreementSummary | None:
        if not self._agreements:
            return None
        return AgreementSummary(
            questions=self._agreements,
            mean_share=self._shares / self._agreements,
            unanimous=self._unanimous,
            refused={reason: count for reason, count in sorted(self._refused.items()) if count},
        )

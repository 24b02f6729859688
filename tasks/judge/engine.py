"""What compares two answers: a seam between the stage and Math-Verify, and what it finds."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

Verdict = Literal["right", "wrong", "undecided"]


class Finding(NamedTuple):
    """Whether two answers are equal.

    Attributes:
        verdict: ``undecided`` where no rule can tell.
        method: what decided (``exact``, ``number``, ``choice``, ``words``, ``shape``, ``math``), or why nothing could.
        evidence: what it saw, for a person to read.
    """

    verdict: Verdict
    method: str
    evidence: str


class Comparer(Protocol):
    """Says whether an answer equals the gold one. `tasks.judge.workers.Workers` is the one that ships."""

    def compare(self, gold: str, answer: str) -> Finding:
        """Return what was found; a comparison that fails is undecided, it never raises."""
        ...

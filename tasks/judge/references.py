"""What a reference answer is, and whether rules can compare anything with it."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from tasks.judge.extract import boxed_answer, stated_answer

#: As NaturalReasoning's card sorts its references; that `long` starts at ten words is our reading.
Kind = Literal["none", "word", "short", "long"]
_LONG = 10
_PROOF = re.compile(r"\b(?:dis)?prove\b|\b(?:show|verify)\s+that\b|证明", re.IGNORECASE)


class Gold(NamedTuple):
    """The answer that a reference gives, or why it gives none that rules can compare.

    Attributes:
        answer: the answer, or None.
        kind: the type of the reference.
        reason: ``no reference``, ``proof`` or ``long reference`` where `answer` is None; empty otherwise.
    """

    answer: str | None
    kind: Kind
    reason: str


def gold_answer(question: str, reference: str | None) -> Gold:
    """Return the gold answer of a question: the one that its reference boxes or states, or all of a short reference."""
    if reference is None or not reference.strip():
        return Gold(None, "none", "no reference")
    kind = reference_kind(reference)
    found = boxed_answer(reference) or stated_answer(reference)
    if found is not None and found.answer is not None:
        return Gold(found.answer, kind, "")
    if _PROOF.search(question):
        return Gold(None, kind, "proof")
    return Gold(None, kind, "long reference") if kind == "long" else Gold(reference.strip(), kind, "")


def reference_kind(reference: str) -> Kind:
    """Return whether a reference is one word or number, short or long."""
    count = len(reference.split())
    return "word" if count == 1 else "short" if count < _LONG else "long"

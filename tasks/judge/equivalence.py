"""Whether two answers are equal: by how they are written where that settles it, by algebra where it does not."""

from __future__ import annotations

import re
from functools import lru_cache

from tasks.judge.engine import Comparer, Finding
from tasks.judge.quantities import differ_in_a_word, equal, in_words, quantity, same_unit
from tasks.judge.spelling import normalise
from tasks.judge.words import CLOSED, choice, words

#: Longer answers are no final answers, and parsers take time that grows faster than their length.
LONGEST = 2_000
CACHED = 100_000

_BRACKETS = {"(": "tuple or interval", "[": "interval", r"\{": "set", r"\begin": "matrix"}
_INEQUALITY = re.compile(r"[<>]|\\(?:le|ge|lt|gt|leq|geq)(?![a-z])")
_BASE = re.compile(r"\d_\s*\{?\s*(\d+)\s*\}?$")


class Equivalence:
    """Compares answers: one spelling, then `engine`, and remembers what it found (the last 100,000 pairs).

    It can be used from many threads at once, as far as its engine can.
    """

    def __init__(self, engine: Comparer) -> None:
        self._engine = engine
        self.compare = lru_cache(CACHED)(self._compare)

    def _compare(self, gold: str, answer: str) -> Finding:
        if gold == answer:
            return Finding("right", "exact", "the same text")
        if max(len(gold), len(answer)) > LONGEST:
            return Finding("undecided", "too long", f"an answer of over {LONGEST:,} characters")
        gold, answer = normalise(gold), normalise(answer)
        return compare_spellings(gold, answer) or _unless_blind(gold, answer, self._engine.compare(gold, answer))


def compare_spellings(gold: str, answer: str) -> Finding | None:
    """Return what the spelling of two normalised answers tells, or None where algebra must."""
    if gold == answer:
        return Finding("right", "exact", "the same once spelt alike")
    return (
        _compare_choices(gold, answer)
        or _compare_quantities(gold, answer)
        or _compare_words(gold, answer)
        or _compare_brackets(gold, answer)
    )


def _compare_choices(gold: str, answer: str) -> Finding | None:
    one, other = choice(gold), choice(answer)
    if one is None or other is None:
        return None
    return Finding("right" if one == other else "wrong", "choice", f"choice {other} for {one}")


def _compare_quantities(gold: str, answer: str) -> Finding | None:
    one, other = quantity(gold), quantity(answer)
    if one is None or other is None or (one.name and other.name and one.name != other.name):
        return None
    if not same_unit(one, other):
        return Finding("undecided", "units", f"{other.unit} for {one.unit}")
    alike = equal(one, other)
    if not alike and differ_in_a_word(one, other):  # 17 of GSM8K's own solutions end in "8 dozen" where 8 are asked for
        return Finding("undecided", "units", f"{answer} for {gold}")
    return Finding("right" if alike else "wrong", "number", f"{answer} {'=' if alike else 'is not'} {gold}")


def _compare_words(gold: str, answer: str) -> Finding | None:
    one, other = words(gold), words(answer)
    if one is None and other is None and not in_words(gold) and not in_words(answer):
        return None
    if one is not None and one == other:
        return Finding("right", "words", f"the same words: {one}")
    closed = (one in CLOSED or quantity(gold)) and (other in CLOSED or quantity(answer))
    if closed:
        return Finding("wrong", "words", f"{answer} for {gold}")
    return Finding("undecided", "words", f"words that differ: {answer} for {gold}")


def _compare_brackets(gold: str, answer: str) -> Finding | None:
    """Tell a set, a matrix and an interval or point apart; Math-Verify takes {1, 2} for (1, 2)."""
    one, other = _bracket(gold), _bracket(answer)
    if one == other or not one or not other:
        return None
    if "matrix" in (one, other):  # a vector may be written as a column and as a tuple
        return Finding("undecided", "shape", f"a {other} for a {one}")
    return Finding("wrong", "shape", f"a {other} for a {one}") if "set" in (one, other) else None


def _bracket(text: str) -> str:
    return next((kind for opening, kind in _BRACKETS.items() if text.startswith(opening)), "")


def _unless_blind(gold: str, answer: str, found: Finding) -> Finding:
    """Return what algebra found, unless it is blind to a difference or to an equality of this kind."""
    both = ((gold, answer), (answer, gold))
    bases = [_BASE.search(text) for text in (gold, answer)]
    if all(bases) and bases[0][1] != bases[1][1]:  # type: ignore[index]
        return Finding("undecided", "units", "numbers in different bases")
    if (r"\circ" in gold) != (r"\circ" in answer) and r"\pi" in gold + answer:
        return Finding("undecided", "units", "degrees for radians")
    if found.verdict == "wrong" and any(_INEQUALITY.search(one) and r"\cup" in other for one, other in both):
        return Finding("undecided", "shape", "inequalities for a union")
    return found

"""Answers that are no mathematics: a choice's letter, a word, a phrase.

Math-Verify 0.9 reads letters as a product, so "listen" equals "silent"; its `StringExtractionConfig` takes the article
of "A bird" for choice A and knows no option that is followed by its text. So both are read here.
"""

from __future__ import annotations

import re

#: What is set as text in LaTeX.
TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")

_CHOICE = re.compile(r"(?:(?i:option|choice)\s*)?(?:\(([A-J])\)|([A-J])(?=$|[.):,]\s|[.):,]$))(?:[.:,)]*\s*\S.*)?")
_FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "log", "exp", "max",
    "min", "gcd", "lcm", "mod", "sqrt", "and", "det", "inf", "for", "all", "floor", "ceil", "abs",
}  # fmt: skip
_COMMAND = re.compile(r"\\(?:begin|end)\{[^{}]*\}|\\[a-zA-Z]+")
_RUN = re.compile(r"[^\W\d_]+")
_LINKS = {"and", "or", "if"}
_ARTICLES = {"the", "a", "an", "is", "are"}
_SAME = {
    spelling: meaning
    for meaning, spellings in {
        "no solution": ["no solutions", "no real solution", "no real solutions", "there is no solution", "empty set",
                        "there are no solutions", r"\emptyset", r"\varnothing", r"\{\}"],
        "undefined": ["does not exist", "dne"],
        r"\infty": ["infinity", "positive infinity", r"+\infty"],
        r"-\infty": ["negative infinity", "minus infinity"],
    }.items()
    for spelling in spellings
}  # fmt: skip
#: Answers that differ in meaning wherever they differ from each other, or from a number.
CLOSED = {*_SAME.values(), "yes", "no", "true", "false", "even", "odd", "increasing", "decreasing"}


def choice(text: str) -> str | None:
    """Return the letter (A to J) that a normalised answer chooses, as in ``C``, ``(C)`` or ``C. 12``, or None."""
    match = _CHOICE.fullmatch(TEXT.sub(r"\1", text).strip()[:200])
    return match[1] or match[2] if match else None


def words(text: str) -> str | None:
    """Return a normalised answer that is natural language, in one spelling, or None where it is mathematics.

    Language is what is set as text, or has a run of three letters with a vowel that names no function; so ``xyz`` is a
    product and "cat" a word.
    """
    spelt = " ".join(TEXT.sub(r" \1 ", text).casefold().split())
    if (meant := _SAME.get(spelt, spelt)) in CLOSED:
        return meant
    set_as_text = [run for run in _RUN.findall(" ".join(TEXT.findall(text))) if run.casefold() not in _LINKS]
    bare = _RUN.findall(_COMMAND.sub(" ", TEXT.sub(" ", text)))
    if not any(len(run) > 1 for run in set_as_text) and not any(map(is_word, bare)):
        return None
    return " ".join(word for word in re.findall(r"[\w.]+", spelt) if word not in _ARTICLES)


def is_word(run: str) -> bool:
    """Say whether a run of letters outside of any text command reads as a word rather than as a product."""
    if not run.isascii():
        return True
    return len(run) >= 3 and run.casefold() not in _FUNCTIONS and any(letter in "aeiou" for letter in run.casefold())

r"""One spelling for one answer: without delimiters, spacing commands, emphasis and final punctuation.

Math-Verify normalises LaTeX too, inside a parser that takes milliseconds. Most right answers of most datasets are equal
once they are spelt alike, so this is done first, and here. Mixed numbers (``1 1/2``) and repeating decimals
(``0.\overline{3}``) become fractions: Math-Verify 0.9 reads the one as 1 and the other as 0.
"""

from __future__ import annotations

import re
from fractions import Fraction

_CHARACTERS = str.maketrans({
    "−": "-", "–": "-", "，": ",", "。": ".", "：": ":", "；": ";", "（": "(", "）": ")", "％": "%", "×": r"\times ",
    "·": r"\cdot ", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "∪": r"\cup ", "∅": r"\emptyset ",
    "√": r"\sqrt ", "±": r"\pm ", "°": r"^\circ ", "≈": r"\approx ", "\u00a0": " ", "\u202f": " ", "½": r" \frac{1}{2}",
    "⟨": "(", "⟩": ")", "²": "^2 ", "³": "^3 ",
})  # fmt: skip
_RULES = [
    (re.compile(pattern), new)
    for pattern, new in [
        (r"(?<!\\)\$((?:\\\$|[^$\s])(?:(?:\\\$|[^$])*(?:\\\$|[^$\s]))?)(?<!\\)\$(?!\d)", r"\1"),
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\s*\.?(?=\s*[\[\](){}|\\])", ""),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\frac\s*(\d)\s*(\d)(?!\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
        (r"(\\frac\{[^{}]*\})\s*(\d)(?!\d)", r"\1{\2}"),
        (r"\\(?:mbox|textbf|textrm|textit|mathrm|mathbf|mathit|operatorname)\s*\{", r"\\text{"),
        (r"\\langle(?![a-zA-Z])", "("),
        (r"\\rangle(?![a-zA-Z])", ")"),
        (r"\{,\}", ","),
        (r"(?<=\d)(?:\\[,;:!]|~)\s*(?=\d{3}(?!\d))", ""),
        (r"(?<!\\)\\[,;:! ]|\\q?quad(?![a-zA-Z])|~", " "),
        (r"\\([$%])", r"\1"),
        (r"\^\s*\{?\s*\\circ\s*\}?", r"^\\circ "),
        (r",?\s*\\text\s*\{\s*(?:and|or)\s*\}\s*|,?\s(?:and|or)\s", ", "),
        (r"\s+", " "),
    ]
]
_WRAPPERS = [
    re.compile(pattern, re.DOTALL)
    for pattern in [
        r"\$\$(.*)\$\$", r"\$([^$]*)\$", r"\\\((.*)\\\)", r"\\\[(.*)\\\]", r"\*\*(.*)\*\*", r"`([^`]*)`",
        r"\\(?:boxed|fbox|text)\s*\{([^{}]*)\}",
    ]
]  # fmt: skip
_REPEATING = re.compile(r"(?<![\d.,])(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{(\d+)\}(?![\d.])")
_MIXED = re.compile(r"(?<![\w}.^])(\d+) (\d+)/(\d+)(?![\w.])")


def normalise(text: str) -> str:
    """Return an answer in its one spelling."""
    if text.isdecimal():
        return text
    text = text.translate(_CHARACTERS).strip()
    for pattern, new in _RULES:
        text = pattern.sub(new, text)
    text = _unwrapped(text.strip())
    text = _REPEATING.sub(_repeating, text)
    return _MIXED.sub(r"\1\\frac{\2}{\3}", text)


def _unwrapped(text: str) -> str:
    """Return `text` without what wraps all of it, and without its final punctuation."""
    while True:
        shorter = text.rstrip(".,;: ")
        for pattern in _WRAPPERS:
            if match := pattern.fullmatch(shorter):
                shorter = match[1].strip()
        if shorter == text:
            return text
        text = shorter


def _repeating(match: re.Match[str]) -> str:
    whole, fixed, cycle = match.groups()
    head = Fraction(int(whole + fixed or "0"), 10 ** len(fixed))
    value = head + Fraction(int(cycle), (10 ** len(cycle) - 1) * 10 ** len(fixed))
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"

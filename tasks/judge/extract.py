r"""The final answer of a model's output, and where it was found.

In order: the last ``\boxed{...}``, the last stated answer ("#### 42", "the final answer is 42", "Answer: C"), the value
of the last line; of what follows ``</think>`` alone, as what stands in the reasoning was not yet the answer.
Math-Verify's own extraction serves no better here: it knows neither ``####`` nor ``</think>``, gives a parsed
expression and not the text that a person could check, and needs sympy for every row.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tasks.judge.quantities import BELOW_ZERO, LETTER, SCALE, in_words, quantity
from tasks.judge.spelling import normalise
from tasks.judge.words import words

#: An answer's sentence is looked at this far.
_SENTENCE = 400


class Extraction(NamedTuple):
    """What an output's final answer is.

    Attributes:
        answer: the answer as it is written, or None.
        how: ``boxed``, ``stated`` or ``last line``; where there is none, ``truncated`` or ``no answer``.
        evidence: the passage that it was taken from, or what is missing.
    """

    answer: str | None
    how: str
    evidence: str


_TOKEN = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
#: What may stand between two boxes that form one answer: "and", a comma, the "(b)" of a second part.
_BETWEEN = re.compile(r"[\s$,;.:\\()\[\]]*(?:and|or)?[\s$,;.:\\()\[\]]*(?:[a-zA-Z0-9]{1,3}[).])?[\s$:\\(\[]*")
_EMPHASIS = re.compile(r"(?<![\w)\\*])\*\*(?!\s)([^*\n]+?)(?<!\s)\*\*|(?<!\w)__(?!\s)([^_\n]+?)(?<!\s)__(?!\w)")
_STATED = re.compile(
    r"(?:####(?!#)"
    r"|\b(?:answer|option|choice)(?:\s+(?:to|of|for|in)\b[^\n.:=]{0,80}?)?"
    r"\s*(?:is|are|was|:|=|(?:would|should|must)\s+be)(?![a-z])"
    r"|^[ \t]*(?:a|ans)[.:]"
    r"|\bfinal\s+answer[ \t]*$"
    r"|答案\s*(?:是|为|：|:)?)"
    r"[\s:：]*(?P<rest>(?:(?!####)[^\n])*)",  # of two marks on one line, the last counts
    re.IGNORECASE | re.MULTILINE,
)
_MATH = re.compile(
    r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)"
    r"|(?<!\\)\$((?:\\\$|[^$\s])(?:(?:\\\$|[^$\n])*?(?:\\\$|[^$\s]))?)(?<!\\)\$(?!\d)",
    re.DOTALL,
)
_LISTED = re.compile(r"\s*(?:,|;|,?\s*(?:and|or))\s*")
_LETTER = re.compile(
    r"(?:(?:option|choice)\s+)?(?:\(([A-J])\)|\\text\s*\{\s*\(?([A-J])\)?\s*\}"
    r"|([A-J])(?=[.):,]\s|[.):,]?$)|([B-HJ])(?=\s+(?:because|since|as|which)\b))"
)
_LETTERS = re.compile(r"\(?[A-J]\)?(?:\s*(?:,|and|,\s*and)\s*\(?[A-J]\)?)+\.?")
_LEAD = re.compile(
    r"(?:(?:that|therefore|thus|simply|just|exactly|approximately|about|roughly|equal to|equals|is|are|the value)\b\s*"
    r"|[=≈:]\s*)*",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"[,;]?\s+\(?(?:because|since|so|as|which|where|when|for|after|in total|altogether)\b.*|(?<=\S)[.;!]\s.*",
    re.DOTALL | re.IGNORECASE,
)
_VALUE = re.compile(
    r"[-+]?\s?(?P<currency>[$€£¥])?\s?[-+]?\.?\d(?:[\d,.]*\d)?(?:\s*/\s*\d+)?(?:[eE][-+]?\d+)?"
    rf"(?:\s*\\?%|(?:\s+{SCALE})+|(?(currency)\s?{LETTER}|(?:\s*(?:°|degrees?)(?:\s?[A-Za-z]+)?)?{BELOW_ZERO}))?"
)


def extract(text: str, *, needs_thinking: bool = False) -> Extraction:
    """Return the final answer of a model's output.

    Args:
        needs_thinking: the prompt itself opened ``<think>``, so an output that never closes it was cut.
    """
    thought, closed, body = text.rpartition("</think>")
    if "<think>" in body or (needs_thinking and not closed):
        return Extraction(None, "truncated", "the reasoning never ends: no </think>")
    if not body.strip():
        return Extraction(None, "no answer", "nothing after </think>" if closed else "an empty output")
    if (boxed := boxed_answer(body)) is not None:
        return boxed
    body = _EMPHASIS.sub(lambda match: match[1] or match[2], body)
    if stated := stated_answer(body):
        return stated
    line = next((line.strip() for line in reversed(body.splitlines()) if re.search(r"\w", line)), "")
    if value := _last_value(line[-_SENTENCE:]):
        return Extraction(value, "last line", line[-_SENTENCE:])
    if line == body.strip() and len(line) <= _SENTENCE:
        return Extraction(line, "last line", line)
    hint = ", only a box in the reasoning" if r"\boxed" in thought else ""
    return Extraction(None, "no answer", f"no answer is stated{hint}")


def stated_answer(text: str) -> Extraction | None:
    """Return the last answer that is stated in so many words, or None."""
    for match in reversed(list(_STATED.finditer(text))):
        rest = match["rest"][:_SENTENCE].strip()
        if rest.startswith(("\\[", "$$")):  # a display may go on for lines
            rest = text[match.start("rest") :][:_SENTENCE].strip()
        if value := _stated_value(rest):
            return Extraction(value, "stated", match[0].strip()[:_SENTENCE])
    return None


def boxed_answer(text: str) -> Extraction | None:
    """Return what the last box holds, with the boxes it forms a list with; None where there is no box."""
    boxes, is_open = _boxes(text)
    if is_open:
        return Extraction(None, "truncated", "the last box is never closed")
    if not boxes:
        return None
    start = len(boxes) - 1
    while start and _BETWEEN.fullmatch(text[boxes[start - 1][1] : boxes[start][0]][:60]):
        start -= 1
    parts = dict.fromkeys(content.strip() for _, _, content in boxes[start:])
    answer = ", ".join(part for part in parts if part)
    if not answer:
        return Extraction(None, "no answer", "an empty box")
    return Extraction(answer, "boxed", text[boxes[start][0] : boxes[-1][1]][:_SENTENCE])


def _boxes(text: str) -> tuple[list[tuple[int, int, str]], bool]:
    """Return the outermost boxes as (start, end, content), and whether the last one is never closed; one pass."""
    boxes, depth, opened = list[tuple[int, int, str]](), 0, None
    for token in _TOKEN.finditer(text):
        if token[0].endswith("{") and token[0] not in ("{", r"\{") and opened is None:
            opened, depth = token, 0
        elif token[0] == "}" and opened is not None:
            if depth == 0:
                boxes.append((opened.start(), token.end(), text[opened.end() : token.start()]))
                opened = None
            else:
                depth -= 1
        elif token[0].endswith("{") and token[0] != r"\{":
            depth += 1
    return boxes, opened is not None


def _stated_value(rest: str) -> str | None:
    """Return the value that a statement opens with."""
    rest = _LEAD.sub("", rest.strip(" *`"), count=1)
    if not re.search(r"\w", rest):
        return None
    if _LETTERS.fullmatch(rest):
        return rest
    if letter := _LETTER.match(rest):
        return next(group for group in letter.groups() if group)
    if formula := _MATH.fullmatch(rest.rstrip(". ")):
        return _content(formula)
    if _is_value(rest):
        return rest.rstrip(". ")
    if formulas := _formulas(rest):
        return formulas[0] if rest.startswith(("$", "\\")) else formulas[-1]
    clause = _REASON.sub("", rest).strip(" .,;")
    if _is_value(clause) or len(clause.split()) <= 3 or not re.search(r"\d", clause):
        return clause
    return _last_number(clause) if re.search(r"[a-z]{3}", clause) else clause


def _last_value(line: str) -> str | None:
    """Return the value of a line that states none: its last formula or number, or all of one without a sentence."""
    if formulas := _formulas(line):
        return formulas[-1]
    if letter := _LETTER.fullmatch(line.rstrip(".")):
        return next(group for group in letter.groups() if group)
    value = line.rpartition("=")[2] if "," not in line else line
    if _is_value(value):
        return value.strip(" .")
    if len(line.split()) <= 3 or not words(normalise(line)):
        return line.strip(" .")
    return _last_number(line)


def _formulas(text: str) -> list[str]:
    """Return the formulas of a sentence; those that form a list count as one."""
    found, last = list[str](), None
    for match in _MATH.finditer(text):
        content = _content(match)
        if last is not None and _LISTED.fullmatch(text[last : match.start()]):
            found[-1] += f", {content}"
        else:
            found.append(content)
        last = match.end()
    return found


def _content(formula: re.Match[str]) -> str:
    return next(group for group in formula.groups() if group is not None).strip()


def _is_value(text: str) -> bool:
    """Say whether a text is a number with what belongs to it, as its unit, and no sentence around one."""
    spelt = normalise(text)
    return quantity(spelt) is not None or in_words(spelt)


def _last_number(text: str) -> str | None:
    numbers = [match[0].strip() for match in _VALUE.finditer(text)]
    return numbers[-1] if numbers else None

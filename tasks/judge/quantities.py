r"""Numbers with their units, as they are written; all arithmetic is exact.

Telling that 1,000 is 1000.0 needs no algebra, and some numbers Math-Verify 0.9 reads wrongly: ``1.5e3`` (it takes e for
Euler's number), ``6.62\times 10^{-34}`` (it rounds to six decimals, so all small numbers are equal) and anything with a
unit (it drops them, so 5 cm is 5 m). So they are read here.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from tasks.judge.words import TEXT, is_word

_LONGEST = 120
_EUROPEAN = r"\d{1,3}(?:\.\d{3})+,\d+"
_DECIMAL = rf"(?:{_EUROPEAN}|\d{{1,3}}(?:[, ]\d{{3}})+(?:\.\d+)?(?![\d,])|\d+(?:\.\d*)?|\.\d+)"
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)\s*(?P<currency>[$€£¥])?\s*(?P<inner>[-+]?)\s*(?:"
    rf"(?:(?P<whole>\d+)\s*(?=\\frac))?(?:\\frac\s*\{{\s*(?P<top>-?{_DECIMAL})\s*\}}\s*"
    rf"\{{\s*(?P<bottom>{_DECIMAL})\s*\}}|(?P<over>{_DECIMAL})\s*/\s*(?P<under>{_DECIMAL}))"
    rf"|(?P<decimal>{_DECIMAL})"
    r"(?:(?:\s*(?:\\times|\\cdot|\*|x)\s*10\s*\^\s*(?:\{\s*(?P<power>[-+]?\d{1,3})\s*\}|(?P<bare>[-+]?\d{1,3}))|"
    r"[eE](?P<exponent>[-+]?\d{1,3}))(?![\d.]))?)"
)
_NAME = re.compile(r"(?:[a-zA-Z](?:_\{?\w\}?)?|\\[a-z]+|[a-zA-Z]\([a-z]\)|[A-Za-z][a-zA-Z ]{1,30})\s*(?:=|\\approx)\s*")
_SPELT = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip

_SCALES = {"dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
#: A word that multiplies the number before it; in "5 hundred-dollar bills" none does.
SCALE = rf"(?i:{'|'.join(_SCALES)})s?(?![\w-])"
_SCALED = re.compile(rf"(?P<before>\s*(?:\\text\s*\{{\s*)?)(?P<scale>{SCALE})")
_LETTERS = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}
#: The letters that multiply an amount of money; behind any other number m is a metre, and k and b are unknowns.
LETTER = rf"(?i:{'|'.join(_LETTERS)})(?![\w^/-])"
_LETTERED = re.compile(rf"\s*(?P<scale>{LETTER})")
#: What makes a temperature negative.
BELOW_ZERO = r"(?i:\s+below\s+zero\b)"
_BELOW_ZERO = re.compile(rf"{BELOW_ZERO}(?P<end>[\s.}}]*)$")
_NUMERALS = (
    rf"(?:{'|'.join(_SPELT)}|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty)"
)
_UNKNOWN = r"(?:[b-z]\b|a$|(?:a|the|another) number\b(?! of))"
#: What makes another number of the one before it. "5 more than Tom" may answer how many more, and "3 times a week" how
#: often; "3 more than y" and "3 times his age" are no numbers.
_CHANGES = re.compile(
    rf"\b(?:than|of|as|times) {_UNKNOWN}|\btimes (?:the|his|her|its|their)\b|\bthan (?:twice|half|double)\b"
    r"|\b(?:plus|minus)\b|^(?:divided|multiplied|increased|decreased|reduced) by\b|^(?:squared|cubed|factorial)$"
    rf"|^{SCALE}.*\b{_NUMERALS}(?![\w-])"
    r"|^(?:halves|thirds|(?:four|fif|six|seven|eigh|nin|ten|hundred|thousand)ths)\b"
)
_SENTENCE = re.compile(r"[=<>]|(?<!\^)\d|\b(?:is|are|was|were)\b")

_UNIT = re.compile(r"[a-z%$€£¥.\u4e00-\u9fff -]{1,60}(?:/[a-z]{1,20})?")
_CONNECTIVE = re.compile(r"(?:and|or|to|out|if|is|are|of|because|since|when)\b")
_RATE = re.compile(r"/|\b(?:per|an?|every)\b")
_POWERS = [
    (re.compile(r"(?:square|sq\.?) (.+)"), r"\1^2"), (re.compile(r"cubic (.+)"), r"\1^3"),
    (re.compile(r"(.+) squared"), r"\1^2"), (re.compile(r"(.+) cubed"), r"\1^3"),
    (re.compile(r"(.+?) ?\^ ?\{?(\d)\}?"), r"\1^\2"),
]  # fmt: skip
_UNIT_NAMES = {
    "$": "dollar", "usd": "dollar", "€": "euro", "£": "pound", "¥": "yuan", "元": "yuan", "percent": "%", "%": "%",
    "per cent": "%", "cm": "centimeter", "centimetre": "centimeter", "centimetres": "centimeter", "mm": "millimeter",
    "km": "kilometer", "kilometre": "kilometer", "kilometres": "kilometer", "m": "meter", "metre": "meter",
    "metres": "meter", "kg": "kilogram", "g": "gram", "hr": "hour", "hrs": "hour", "h": "hour", "min": "minute",
    "mins": "minute", "s": "second", "sec": "second", "ft": "foot", "feet": "foot", "inches": "inch", "in": "inch",
    "mph": "mile per hour", "l": "liter", "litre": "liter", "litres": "liter", "ml": "milliliter", "m/s": "m/s",
    "km/h": "km/h",
}  # fmt: skip


class Quantity(NamedTuple):
    """A number as it is written.

    Attributes:
        value: the number; 50 for 50 %.
        decimals: the digits after its point, or None where it is no decimal (fractions, powers of ten, millions).
        digits: its significant digits.
        unit: in one spelling; empty where it has none.
        name: what it is said to be the value of (``x`` in ``x = 5``); empty where nothing is said.
        scale: what words multiply it by, which `value` is multiplied by; 1000 for 7 thousand, -1 for 5 below zero.
    """

    value: Fraction
    decimals: int | None
    digits: int
    unit: str = ""
    name: str = ""
    scale: int = 1


def quantity(text: str) -> Quantity | None:
    """Return the number that a normalised answer is, with its unit, or None where it is anything else."""
    if text.isdecimal() and len(text) <= _LONGEST:
        return Quantity(Fraction(int(text)), 0, len(text.lstrip("0")))
    if text.lower() in _SPELT:
        return Quantity(Fraction(_SPELT[text.lower()]), 0, 2)
    name, match, rest = _parts(text)
    if not match or _CHANGES.search(_spelt(rest)) or not (found := _value(match)):
        return None
    scale, rest = _scale(rest, match["currency"])
    if scale != 1:
        found = found._replace(value=found.value * scale, decimals=None, scale=scale)
    unit = _unit(rest, match["currency"])
    return None if unit is None else found._replace(unit=unit, name=name)


def in_words(text: str) -> bool:
    """Say whether a normalised answer is a number that the words after it make another one of.

    ``3 more than y``, ``5% of x`` and ``3 thousand five hundred`` are, and ``3 times x is 12`` is a sentence.
    """
    _, match, rest = _parts(text)
    spelt = _spelt(rest)
    return match is not None and bool(_CHANGES.search(spelt)) and not _SENTENCE.search(spelt)


def equal(one: Quantity, other: Quantity) -> bool:
    """Say whether two numbers are equal.

    They are if they are the same, if one is the other rounded to at least six significant digits, or if they are no
    whole numbers and differ by what may be a floating-point error (10^-9 of their size).
    """
    if one.value == other.value or _rounds_to(one, other) or _rounds_to(other, one) or _nearly(one.value, other.value):
        return True
    per_cent = (one.unit == "%") - (other.unit == "%")
    return per_cent != 0 and one.value == other.value * Fraction(100) ** per_cent


def differ_in_a_word(one: Quantity, other: Quantity) -> bool:
    """Say whether all that one number has more is a word that multiplies it, as 8 dozen and 8, 5 below zero and 5."""
    return (
        1 in (one.scale, other.scale)
        and one.scale != other.scale
        and one.value * other.scale == other.value * one.scale
    )


def same_unit(one: Quantity, other: Quantity) -> bool:
    """Say whether two units do not contradict each other.

    One that is not given contradicts none. One that only says more contradicts none either ("12 apples in total"),
    unless it is a rate: 60 miles per hour are no 60 miles.
    """
    short, long = sorted((one.unit, other.unit), key=len)
    return not short or long == short or (long.startswith(short + " ") and not _RATE.search(long))


def _parts(text: str) -> tuple[str, re.Match[str] | None, str]:
    """Return the name that a text gives its number, the number, None where there is none, and what follows it."""
    name = ""
    if len(text) > _LONGEST:
        return name, None, ""
    if match := _NAME.match(text):
        name, text = match[0].rstrip("= ").removesuffix(r"\approx").rstrip(), text[match.end() :]
    match = _NUMBER.match(text)
    return name, match, text[match.end() :] if match else ""


def _scale(rest: str, currency: str | None) -> tuple[int, str]:
    """Return the product of the words that multiply the number before them, and the rest without them."""
    if currency and (letter := _LETTERED.match(rest)):
        return _LETTERS[letter["scale"].lower()], rest[letter.end() :]
    scale, (rest, below) = 1, _BELOW_ZERO.subn(r"\g<end>", rest)
    while match := _SCALED.match(rest):
        scale *= _SCALES[match["scale"].lower().removesuffix("s")]
        rest = match["before"] + rest[match.end() :]
    return scale * (-1) ** below, rest


def _nearly(one: Fraction, other: Fraction) -> bool:
    whole = one.denominator == 1 and other.denominator == 1
    return not whole and abs(one - other) * 10**9 <= abs(other)


def _rounds_to(short: Quantity, long: Quantity) -> bool:
    if short.decimals is None or short.digits < 6 or (long.decimals is not None and long.decimals <= short.decimals):
        return False
    return bool(abs(long.value - short.value) * 2 * 10**short.decimals <= 1)


def _value(match: re.Match[str]) -> Quantity | None:
    """Return the number that was matched, or None for a division by zero."""
    sign = -1 if (match["sign"] == "-") != (match["inner"] == "-") else 1
    if match["decimal"]:
        value, decimals = _decimal(match["decimal"])
        power = int(match["power"] or match["bare"] or match["exponent"] or 0)
        digits = len(re.sub(r"\D", "", match["decimal"]).lstrip("0"))
        return Quantity(sign * value * Fraction(10) ** power, decimals if power == 0 else None, digits)
    over = match["top"] or match["over"]
    top, bottom = _decimal(over.lstrip("-"))[0], _decimal(match["bottom"] or match["under"])[0]
    if bottom == 0:
        return None
    part = (-top if over.startswith("-") else top) / bottom
    return Quantity(sign * (int(match["whole"] or 0) + part), None, 0)


def _decimal(text: str) -> tuple[Fraction, int]:
    """Return a decimal's value and the digits after its point."""
    if re.fullmatch(_EUROPEAN, text):
        text = text.replace(".", "").replace(",", ".")
    text = text.replace(",", "").replace(" ", "")
    return Fraction(text), len(text.partition(".")[2])


def _unit(rest: str, currency: str | None) -> str | None:
    """Return the unit that follows a number, in one spelling, or None where what follows is no unit.

    A unit is set as text, or known, or a word; so ``5xy`` is no quantity, and ``5 apples`` is.
    """
    spelt = _spelt(rest)
    if not spelt:
        return _UNIT_NAMES[currency] if currency else ""
    for pattern, new in _POWERS:
        spelt = pattern.sub(new, spelt) if pattern.fullmatch(spelt) else spelt
    base, caret, power = spelt.partition("^")
    if base.startswith("°"):
        return f"degree {base[1:].strip()}".strip()
    known = _UNIT_NAMES.get(base)
    if known is None and (not _UNIT.fullmatch(base) or _CONNECTIVE.match(base)):
        return None
    if known is None and r"\text" not in rest and not is_word(base.split()[0]):
        return None
    return (known or _singular(base)) + caret + power


def _spelt(rest: str) -> str:
    return " ".join(TEXT.sub(r" \1 ", rest.replace(r"^\circ", "°")).lower().split()).rstrip(".")


def _singular(unit: str) -> str:
    first, space, rest = unit.partition(" ")
    plural = len(first) > 3 and first.endswith("s") and not first.endswith("ss")
    return (first[:-1] if plural else first) + space + rest

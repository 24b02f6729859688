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

_UNIT = re.compile(r"[a-z%$€£¥.\u4e00-\u9fff -]{1,60}(?:/[a-z]{1,20})?")
_CONNECTIVE = re.compile(r"(?:and|or|to|out|if|is|are|of|because|since|when)\b")
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
        decimals: the digits after its point, or None where it is no decimal (fractions, powers of ten).
        digits: its significant digits.
        unit: in one spelling; empty where it has none.
        name: what it is said to be the value of (``x`` in ``x = 5``); empty where nothing is said.
    """

    value: Fraction
    decimals: int | None
    digits: int
    unit: str = ""
    name: str = ""


def quantity(text: str) -> Quantity | None:
    """Return the number that a normalised answer is, with its unit, or None where it is anything else."""
    if len(text) > _LONGEST:
        return None
    if text.isdecimal():
        return Quantity(Fraction(int(text)), 0, len(text.lstrip("0")))
    if text.lower() in _SPELT:
        return Quantity(Fraction(_SPELT[text.lower()]), 0, 2)
    name = ""
    if match := _NAME.match(text):
        name, text = match[0].rstrip("= ").removesuffix(r"\approx").rstrip(), text[match.end() :]
    if not (match := _NUMBER.match(text)):
        return None
    found, unit = _value(match), _unit(text[match.end() :], match["currency"])
    return None if found is None or unit is None else found._replace(unit=unit, name=name)


def equal(one: Quantity, other: Quantity) -> bool:
    """Say whether two numbers are equal.

    They are if they are the same, if one is the other rounded to at least six significant digits, or if they are no
    whole numbers and differ by what may be a floating-point error (10^-9 of their size).
    """
    if one.value == other.value or _rounds_to(one, other) or _rounds_to(other, one) or _nearly(one.value, other.value):
        return True
    per_cent = (one.unit == "%") - (other.unit == "%")
    return per_cent != 0 and one.value == other.value * Fraction(100) ** per_cent


def same_unit(one: Quantity, other: Quantity) -> bool:
    """Say whether two units do not contradict each other; one that is not given contradicts none."""
    short, long = sorted((one.unit, other.unit), key=len)
    return not short or long == short or long.startswith(short + " ")


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
    spelt = " ".join(TEXT.sub(r" \1 ", rest.replace(r"^\circ", "°")).lower().split()).rstrip(".")
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


def _singular(unit: str) -> str:
    first, space, rest = unit.partition(" ")
    plural = len(first) > 3 and first.endswith("s") and not first.endswith("ss")
    return (first[:-1] if plural else first) + space + rest

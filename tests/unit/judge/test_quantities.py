from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.judge.quantities import differ_in_a_word, equal, in_words, quantity, same_unit
from tasks.judge.spelling import normalise

NUMBERS = st.integers(-(10**12), 10**12)


def read(text):
    return quantity(normalise(text))


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("18", 18, ""),
        ("$18", 18, "dollar"),
        ("18 dollars", 18, "dollar"),
        ("-$5", -5, "dollar"),
        ("1,234.5", Fraction(2469, 2), ""),
        ("1.234,5", Fraction(2469, 2), ""),
        ("1 234 567", 1234567, ""),
        (".5", Fraction(1, 2), ""),
        ("3/4", Fraction(3, 4), ""),
        (r"-\frac{3}{4}", Fraction(-3, 4), ""),
        (r"\frac{-3}{4}", Fraction(-3, 4), ""),
        (r"3\frac{1}{2}", Fraction(7, 2), ""),
        ("1.5e3", 1500, ""),
        (r"6.02\times 10^{23}", 602 * 10**21, ""),
        ("50%", 50, "%"),
        ("50 percent", 50, "%"),
        (r"15\mbox{ cm}^2", 15, "centimeter^2"),
        ("5 square meters", 5, "meter^2"),
        (r"90^\circ", 90, "degree"),
        ("20 °C", 20, "degree c"),
        ("60 km/h", 60, "km/h"),
        ("12 apples", 12, "apple"),
        ("seven", 7, ""),
        ("x = 5", 5, ""),
        ("60 miles per hour", 60, "mile per hour"),
        ("3 times a week", 3, "time a week"),
    ],
)
def test_numbers_are_read_with_their_units(text, value, unit):
    found = read(text)
    assert (found.value, found.unit) == (value, unit)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("4 hundred", 400, ""),
        ("7 thousand", 7000, ""),
        ("2 Million", 2 * 10**6, ""),
        ("2.5 million", 25 * 10**5, ""),
        ("1.2 billion", 12 * 10**8, ""),
        ("3 trillion", 3 * 10**12, ""),
        ("2 dozen", 24, ""),
        ("3 1/2 dozen", 42, ""),
        ("2 hundred thousand", 200000, ""),
        ("$2 million", 2 * 10**6, "dollar"),
        ("2 million dollars", 2 * 10**6, "dollar"),
        (r"2\text{ million dollars}", 2 * 10**6, "dollar"),
        ("3 dozen eggs", 36, "egg"),
        ("5 hundred-dollar bills", 5, "hundred-dollar bills"),
        ("x = 2 million", 2 * 10**6, ""),
        ("$2M", 2 * 10**6, "dollar"),
        (r"\$2.5M", 25 * 10**5, "dollar"),
        ("$2m", 2 * 10**6, "dollar"),
        ("$15k", 15000, "dollar"),
        ("€3 bn", 3 * 10**9, "euro"),
        ("-$1.2B", -12 * 10**8, "dollar"),
        ("$2M per year", 2 * 10**6, "per year"),
        ("2 m", 2, "meter"),  # without a currency the letter is a unit
    ],
)
def test_scale_words_are_factors(text, value, unit):
    found = read(text)
    assert (found.value, found.unit) == (value, unit)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5 degrees below zero", -5, "degree"),
        ("5 °C below zero", -5, "degree c"),
        ("5 degrees Celsius below zero.", -5, "degree celsius"),
        ("5 below zero", -5, ""),
        ("-5 degrees", -5, "degree"),
        ("5 degrees above zero", 5, "degree above zero"),
        ("5 degrees below freezing", 5, "degree below freezing"),  # which may be 27 degrees Fahrenheit
    ],
)
def test_what_is_below_zero_is_negative(text, value, unit):
    found = read(text)
    assert (found.value, found.unit) == (value, unit)


@pytest.mark.parametrize(
    "text",
    [
        "3 more than y",
        "5 apples more than a number",
        "5 more than twice as many",
        "3 times his age",
        "8 less than x",
        "3 times x",
        "3 times as many as y",
        "5 percent of x",
        "5% of x",
        r"5\text{ percent of }x",
        "3 plus y",
        "6 divided by x",
        "x = 3 more than y",
        "3 squared",
        "2 thirds",
        "3 thousand five hundred",
        "2 hundred twenty",
    ],
)
def test_a_number_that_words_change_is_no_quantity(text):
    assert read(text) is None
    assert in_words(normalise(text))


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "3 more",
        "3 more apples than Tom",
        "3 times",
        "3 times as many",
        "3 times a week",
        "5 cups of flour",
        "5% of them",
        "x",
        "more",
    ],
)
def test_a_plain_number_is_changed_by_no_word(text):
    assert not in_words(normalise(text))


@pytest.mark.parametrize(
    "text",
    [
        "2x",
        "5xy",
        "2 million 500 thousand",
        "1,2",
        "(1,2)",
        "1/0",
        "2^3",
        "5!",
        "12_8",
        "",
        "x=1,y=2",
        "3 - 2",
        "9" * 500,
    ],
)
def test_what_is_no_number_is_left_alone(text):
    assert read(text) is None


@settings(deadline=None)
@given(NUMBERS)
def test_a_number_is_itself_however_it_is_written(number):
    for written in (
        f"{number:,}",
        f"{number}.00",
        f"${number}$",
        f"\\boxed{{{number}}}",
        f"{number} apples",
        f"x = {number}",
    ):
        assert equal(read(str(number)), read(written)), written


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_two_whole_numbers_are_equal_only_if_they_are_the_same(one, other):
    assert equal(read(str(one)), read(f"{other:,}")) == (one == other)


@settings(deadline=None)
@given(st.fractions(-(10**6), 10**6, max_denominator=10**4))
def test_a_rounded_number_is_equal_from_six_digits_on(value):
    fraction = read(rf"\frac{{{value.numerator}}}{{{value.denominator}}}")
    assert equal(fraction, read(f"{float(value):.12f}")) or abs(value) < Fraction(1, 1000)
    assert equal(fraction, read(f"{float(value):.1f}")) == (value == round(value, 1) or round(abs(value), 1) >= 10**4)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("1/3", "0.33", False),
        ("1/3", "0.333333", True),
        ("50%", "0.5", True),
        ("50%", "50", True),
        ("0.5", "50", False),
    ],
)
def test_rounding_and_percent(one, other, alike):
    assert equal(read(one), read(other)) is alike
    assert equal(read(other), read(one)) is alike


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("8 dozen", "8", True),
        ("8", "8 dozen eggs", True),
        ("8 dozen", "96", False),
        ("8 dozen", "8 million", False),
        ("8", "8", False),
        ("8 dozen", "8 dozen", False),
        ("$2M", "$2", True),
        ("5 degrees below zero", "5 degrees", True),
        ("5 degrees below zero", "-5", False),
        ("5 degrees below zero", "6", False),
        ("5", "-5", False),
    ],
)
def test_numbers_differ_in_a_word_or_not(one, other, alike):
    assert differ_in_a_word(read(one), read(other)) is alike
    assert differ_in_a_word(read(other), read(one)) is alike


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("5 cm", "5", True),
        ("5 cm", "5 m", False),
        ("5 km", "5 kilometers", True),
        ("$5", "€5", False),
        ("5 m", "5 m^2", False),
        ("18 dollars", "$18", True),
        ("12 apples in total", "12 apples", True),
        ("60 miles per hour", "60", True),
        ("60 miles per hour", "60 mph", True),
        ("60 miles per hour", "60 miles", False),
        ("60 miles an hour", "60 miles", False),
        ("18 dollars per day", "$18", False),
    ],
)
def test_units_contradict_each_other_or_not(one, other, alike):
    assert same_unit(read(one), read(other)) is alike

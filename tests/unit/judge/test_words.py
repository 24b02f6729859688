import pytest

from tasks.judge.spelling import normalise
from tasks.judge.words import choice, words


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("C", "C"),
        ("(C)", "C"),
        (r"\text{(C)}", "C"),
        ("C. 12 meters", "C"),
        ("C)", "C"),
        ("option B", "B"),
        ("A bird", None),
        ("c", None),
        ("K", None),
        ("x", None),
        ("Cat", None),
        ("AB", None),
    ],
)
def test_a_choice_is_a_letter_that_stands_alone(text, letter):
    assert choice(normalise(text)) == letter


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Evelyn", "evelyn"),
        (r"\text{the ellipse}", "ellipse"),
        ("no real solutions", "no solution"),
        (r"\emptyset", "no solution"),
        ("DNE", "undefined"),
        ("xyz", None),
        ("sin x", None),
        (r"\sqrt{2}", None),
        ("x=1, y=2", None),
        ("no", "no"),
        ("on", None),
    ],
)
def test_language_is_told_from_mathematics(text, meaning):
    assert words(normalise(text)) == meaning

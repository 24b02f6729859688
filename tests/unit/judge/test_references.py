import pytest

from tasks.judge.references import gold_answer

LONG = "The force grows with the square of the charge and falls with the distance"


@pytest.mark.parametrize(
    ("reference", "answer", "kind"),
    [
        ("42", "42", "word"),
        (" x + 1 ", "x + 1", "short"),
        ("48/2 = 24\nso it is 72.\n#### 72", "72", "short"),
        (r"We add them all up and so in the end we get $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}", "long"),
    ],
)
def test_a_reference_gives_its_answer(reference, answer, kind):
    found = gold_answer("How many?", reference)
    assert (found.answer, found.kind, found.reason) == (answer, kind, "")


@pytest.mark.parametrize(
    ("question", "reference", "kind", "reason"),
    [
        ("Why?", None, "none", "no reference"),
        ("Why?", "  ", "none", "no reference"),
        ("Why?", LONG, "long", "long reference"),
        ("Prove that it is odd.", "It is 2k + 1.", "short", "proof"),
        ("Show that x > 0.", LONG, "long", "proof"),
    ],
)
def test_a_reference_that_rules_cannot_use_says_why(question, reference, kind, reason):
    found = gold_answer(question, reference)
    assert (found.answer, found.kind, found.reason) == (None, kind, reason)

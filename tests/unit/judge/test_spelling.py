import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.judge.spelling import normalise

PIECES = st.sampled_from(
    [
        *"0123456789xyz+-=(){}[],.;:$%^_ \\",
        r"\frac",
        r"\dfrac",
        r"\left",
        r"\right",
        r"\text{",
        r"\,",
        r"\$",
        r"\%",
        "**",
    ]
)


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("$42$.", "42"),
        (r"\(\dfrac{1}{2}\)", r"\frac{1}{2}"),
        (r"\frac12", r"\frac{1}{2}"),
        (r"\left( 1, \frac{1}{2} \right)", r"( 1, \frac{1}{2} )"),
        (r"1{,}234", "1,234"),
        (r"12\,000", "12000"),
        (r"\$5", "$5"),
        (r"50\%", "50%"),
        ("$5$ cm", "5 cm"),
        (r"$\$18$", "$18"),
        ("costs $5 and $7", "costs $5, $7"),
        (r"\text{east}", "east"),
        ("**18**", "18"),
        ("−7", "-7"),
        ("1 1/2", r"1\frac{1}{2}"),
        (r"0.\overline{3}", r"\frac{1}{3}"),
        (r"0.1\overline{6}", r"\frac{1}{6}"),
        (r"5 \text{ or } 7", "5, 7"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        ("5!", "5!"),
    ],
)
def test_one_answer_has_one_spelling(written, spelt):
    assert normalise(written) == spelt


@settings(deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_gets_a_spelling_and_spaces_around_it_change_nothing(text):
    assert normalise(f"  {text} ") == normalise(text)

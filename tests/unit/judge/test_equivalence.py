import pytest

from tasks.judge.engine import Finding
from tasks.judge.equivalence import CACHED, LONGEST, Equivalence


@pytest.mark.parametrize(
    ("gold", "answer", "verdict", "method"),
    [
        ("42", "42", "right", "exact"),
        (r"\frac{1}{2}", r"$\dfrac{1}{2}$", "right", "exact"),
        ("70000", "70,000", "right", "number"),
        ("18", "19", "wrong", "number"),
        ("x = 5", "5", "right", "number"),
        (r"5\text{ cm}", r"5\text{ m}", "undecided", "units"),
        ("2000000", "2 million", "right", "number"),
        ("24", "2 dozen", "right", "number"),
        ("400", "4 hundred", "right", "number"),
        ("$2 million", "2000000 dollars", "right", "number"),
        ("18 dollars", "18", "right", "number"),
        ("2 million", "2", "undecided", "units"),
        ("7", "7 thousand", "undecided", "units"),
        ("2", "2 dozen", "undecided", "units"),
        ("2 million", "2 thousand", "wrong", "number"),
        ("0", "0 million", "right", "number"),
        ("2 dozen", "3", "wrong", "number"),
        ("60 miles per hour", "60 miles", "undecided", "units"),
        ("3", "3 more than y", "undecided", "words"),
        ("3", "3 more than Tom", "right", "number"),
        ("8", "8 less than x", "undecided", "words"),
        ("5", "5 percent of x", "undecided", "words"),
        ("0.05x", "5% of x", "undecided", "words"),
        ("C", "(C)", "right", "choice"),
        ("C", "B. four", "wrong", "choice"),
        (r"\text{listen}", "silent", "undecided", "words"),
        ("Yes", "no", "wrong", "words"),
        (r"\text{no solution}", "5", "wrong", "words"),
        ("(1,2)", r"\{1,2\}", "wrong", "shape"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)", "undecided", "shape"),
    ],
)
def test_spelling_settles_it(engine, gold, answer, verdict, method):
    found = Equivalence(engine).compare(gold, answer)
    assert (found.verdict, found.method) == (verdict, method)
    assert found.evidence
    assert engine.asked == []


def test_algebra_is_asked_in_one_spelling_and_once(engine):
    equivalence = Equivalence(engine)
    for _ in range(3):
        equivalence.compare("$x+1$", r"\left(1+x\right)")
    assert engine.asked == [("x+1", "(1+x)")]


def test_the_memory_of_pairs_is_bounded(engine):
    assert Equivalence(engine).compare.cache_info().maxsize == CACHED


def test_a_long_answer_is_not_parsed(engine):
    found = Equivalence(engine).compare("5", "1+" * LONGEST)
    assert (found.verdict, found.method) == ("undecided", "too long")
    assert engine.asked == []


@pytest.mark.parametrize(
    ("gold", "answer", "method"),
    [
        ("12_8", "12_{7}", "units"),
        (r"90^\circ", r"\frac{\pi}{2}", "units"),
        (r"(-\infty,1)\cup(2,\infty)", "x<1, x>2", "shape"),
    ],
)
def test_where_algebra_is_blind_nothing_is_decided(gold, answer, method):
    class Blind:
        def compare(self, gold, answer):
            return Finding("right" if "_" in gold else "wrong", "math", "")

    found = Equivalence(Blind()).compare(gold, answer)
    assert (found.verdict, found.method) == ("undecided", method)

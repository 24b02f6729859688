import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.judge.extract import extract

INSIDE = st.recursive(
    st.text(st.sampled_from("0123456789xyz+- "), max_size=5),
    lambda s: st.lists(s, max_size=3).map(lambda p: f"\\frac{{{'}{'.join(p)}}}"),
)


@pytest.mark.parametrize(
    ("output", "answer", "how"),
    [
        (r"so \boxed{\frac{\sqrt{3}}{2}}.", r"\frac{\sqrt{3}}{2}", "boxed"),
        (r"\boxed{3}, no: \boxed{4}, since it doubles", "4", "boxed"),
        (r"(a) \boxed{3} (b) \boxed{5}", "3, 5", "boxed"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}", "boxed"),
        (r"\boxed{3} and \boxed{3}", "3", "boxed"),
        ("#### 42", "42", "stated"),
        ("A: 18", "18", "stated"),
        ("**Answer:** 18 dollars.", "18 dollars", "stated"),
        ("**Final Answer**\n\n12 apples", "12 apples", "stated"),
        ("The answer is (C) because it fits.", "C", "stated"),
        ("The correct option is B.", "B", "stated"),
        ("The answer is 5 because 3+2=5.", "5", "stated"),
        ("The final answer is\n\\[\n\\frac{1}{6}\n\\]", r"\frac{1}{6}", "stated"),
        ("The answer is: Natalia sold 72 clips.", "72", "stated"),
        ("The answer is 3. Wait.\nThe answer is 4.", "4", "stated"),
        ("#### 2-2=0. #### 0*2=0. #### 3", "3", "stated"),
        ("2**3 + 4**2 = 24\nThe answer is 24", "24", "stated"),
        ("The answer is 3 more than y.", "3 more than y", "stated"),
        ("The answer is x = 3 more than y.", "x = 3 more than y", "stated"),
        ("The answer is 5% of x.", "5% of x", "stated"),
        ("答案是：12", "12", "stated"),
        ("She pays $12 and $4, so $16.", "$16", "last line"),
        ("5 + 3 = 8", "8", "last line"),
        ("So they earned 2 million dollars over the whole year", "2 million", "last line"),
        ("So he pays it with 5 hundred-dollar bills at the till", "5", "last line"),
        ("In the end the company had made $2M.", "$2M", "last line"),
        ("So it is worth $15k at the very end of it", "$15k", "last line"),
        ("At midnight it was 5 degrees below zero in the valley", "5 degrees below zero", "last line"),
        ("The answer is 5 degrees below zero.", "5 degrees below zero", "stated"),
        ("So he walks 2 m and then another 3 m of it", "3", "last line"),
        ("3 times x is 12", "12", "last line"),
        ("(1,2)", "(1,2)", "last line"),
        ("x=1, y=2", "x=1, y=2", "last line"),
        ("Hence $x^2 + 1$ is it.", "x^2 + 1", "last line"),
        ("<think>\\boxed{7}</think>The answer is 8.", "8", "stated"),
        ("thinking\n</think>\n\\boxed{8}", "8", "boxed"),
    ],
)
def test_the_final_answer_is_found(output, answer, how):
    found = extract(output)
    assert (found.answer, found.how) == (answer, how)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("<think>\nso \\boxed{7}. But", "truncated"),
        (r"it is \boxed{12", "truncated"),
        ("", "no answer"),
        ("<think>7</think>", "no answer"),
        (r"\boxed{}", "no answer"),
        ("I cannot do this.\nSorry about that, my friend.", "no answer"),
    ],
)
def test_where_there_is_no_answer_the_reason_is_given(output, reason):
    found = extract(output)
    assert (found.answer, found.how) == (None, reason)
    assert found.evidence


def test_a_box_in_the_reasoning_is_no_answer():
    found = extract("<think>It is \\boxed{7}.</think>\nI am done with it.\nAs was shown above, it follows.")
    assert found.answer is None
    assert "only a box in the reasoning" in found.evidence


def test_a_teacher_whose_prompt_opens_the_reasoning_must_close_it():
    assert extract("so it is \\boxed{7}").answer == "7"
    assert extract("so it is \\boxed{7}", needs_thinking=True).how == "truncated"
    assert extract("so</think>\\boxed{7}", needs_thinking=True).answer == "7"


@settings(deadline=None)
@given(st.text(max_size=60).filter(lambda s: "\\" not in s), INSIDE.filter(lambda s: s.strip()))
def test_the_last_box_is_taken_whole(before, inside):
    assert (
        extract(f"{before.replace('<think>', '')}\\boxed{{1}} stands corrected: \\boxed{{{inside}}}").answer
        == inside.strip()
    )


@settings(deadline=None)
@given(st.text(st.sampled_from("\\boxed{}$ answeri#4.,=*()[]<think>/\n"), max_size=80))
def test_any_output_has_an_answer_or_a_reason(text):
    found = extract(text)
    assert found.answer is None or found.answer.strip()
    assert (found.answer is None) == (found.how in ("truncated", "no answer"))


@pytest.mark.parametrize(
    "piece",
    [
        r"\boxed{",
        "$",
        "the answer is ",
        "**",
        "{",
        "\\",
        "####",
        "1",
        "a b ",
        "$a",
        "<think>",
        "\n",
        "answer to ",
        "(a) \\boxed{1} ",
    ],
)
def test_a_megabyte_of_anything_takes_no_time(piece):
    started = time.process_time()
    extract(piece * (1_000_000 // len(piece)))
    assert time.process_time() - started < 5

from __future__ import annotations

import pytest

from tasks.evaluate.answers import extract, same
from tasks.evaluate.shares import shares


@pytest.mark.parametrize(
    ("text", "kind", "pattern", "answer"),
    [
        ("7*2=14. 14-9=5. #### 5", "number", r"#### (-?\d+)", "5"),
        ("it is 12", "number", r"#### (-?\d+)", ""),
        ("so 3 and then 1,450", "number", "", "1450"),
        ("#### 1, then #### -2", "number", r"#### (-?\d+)", "-2"),
        ("none", "number", "", ""),
        ("\n  Paris \nor so", "text", "", "Paris"),
        ("I say: (Paris).", "text", r"\((\w+)\)", "Paris"),
    ],
)
def test_the_last_match_counts(text, kind, pattern, answer):
    assert extract(text, kind, pattern) == answer


def test_answers_are_the_same_as_numbers_or_as_words():
    assert same("5.0", "5", "number") and not same("5", "6", "number") and not same("", "5", "number")
    assert same("new  York", "New york", "text") and not same("York", "New York", "text")


@pytest.mark.parametrize(
    ("sizes", "limit", "taken"),
    [
        ([3, 3], None, [3, 3]),
        ([3, 3], 99, [3, 3]),
        ([3, 3], 3, [2, 1]),
        ([1, 9, 9], 7, [1, 3, 3]),
        ([5, 5, 5], 2, [1, 1, 0]),
    ],
)
def test_a_limit_is_shared_evenly(sizes, limit, taken):
    assert shares(sizes, limit) == taken

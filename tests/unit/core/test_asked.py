"""What a row asks, whatever its shape."""

import pytest

from tasks.core.asked import asked

USER, ANSWER = {"role": "user", "content": "why?"}, {"role": "assistant", "content": "because"}


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"question": "why?", "reference": "because"}, "why?"),
        ({"question": "", "reference": None}, ""),
        ({"text": "plain", "messages": None}, "plain"),
        ({"text": None, "messages": [{"role": "system", "content": "be kind"}, USER, ANSWER]}, "why?"),
        ({"text": None, "messages": [USER, ANSWER, {"role": "user", "content": "really?"}, ANSWER]}, "why?\nreally?"),
        ({"text": None, "messages": [ANSWER]}, "because"),
        ({"text": None, "messages": None}, ""),
    ],
)
def test_what_a_row_asks(row, text):
    assert asked(row) == text

"""Where a forest plot puts things."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.results import Comparison
from tasks.report.forest import Axis, axis, groups


def test_axis_holds_every_interval_and_few_ticks(comparison: Comparison):
    made = axis(comparison)
    assert made.reach > 17.5
    assert made.ticks == (-10, 0, 10)


@given(st.floats(0.001, 100))
def test_axis_is_symmetric_with_three_to_seven_ticks(high: float):
    comparison = Comparison(control="c", seeds=(1,), candidates=(), warnings=(), band=high)
    ticks = axis(comparison).ticks
    assert 3 <= len(ticks) <= 7
    assert list(ticks) == pytest.approx([-tick for tick in reversed(ticks)])


def test_places():
    made = Axis(reach=10, ticks=(0,))
    assert [made.at(-10), made.at(0), made.at(5), made.at(99)] == ["0.00%", "50.00%", "75.00%", "100.00%"]
    assert made.span(-2, 2) == "20.00%"
    assert made.span(-99, 99) == "100.00%"


def test_math_comes_first_and_a_pool_of_one_is_not_drawn_twice(comparison: Comparison):
    found = groups(comparison.candidates[0])
    assert [group.domain for group in found] == ["math", "knowledge", "coding"]
    assert [row.label for row in found[1].rows] == ["mmlu", "gpqa-diamond", "all knowledge"]
    assert [row.label for row in found[2].rows] == ["humaneval"]
    assert [row.tone for row in found[0].rows] == ["up", "plain"]

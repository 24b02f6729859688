"""Levels of looks against published boundaries and a plain simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tasks.compare.config import CompareConfig
from tasks.compare.sequential import level, levels
from tasks.compare.task import compare_tables
from tasks.core.errors import StudyError


def test_levels_are_the_published_boundaries():
    """Lan-DeMets, O'Brien-Fleming type, five equal looks, one-sided 2.5 %: z = 4.877, 3.357, 2.680, 2.290, 2.031."""
    bounds = stats.norm.isf(levels(0.025, (1, 2, 3, 4, 5)))
    assert bounds == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=6e-4)


def test_one_look_is_a_plain_test():
    assert levels(0.025, (5,)) == pytest.approx((0.025,))
    assert level(0.025, 5, None) == 0.025


def test_the_looks_together_spend_alpha():
    """Random walks, looked at after 2, 3, 5 and 8 steps, cross one of the bounds in 5 % of cases."""
    looks = (2, 3, 5, 8)
    walks = np.random.default_rng(3).standard_normal((100_000, 8)).cumsum(axis=1)
    scores = walks[:, [seeds - 1 for seeds in looks]] / np.sqrt(looks)
    crossed = (stats.norm.sf(scores) < levels(0.05, looks)).any(axis=1)
    assert crossed.mean() == pytest.approx(0.05, abs=0.003)


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(2, 12), min_size=1, max_size=5), st.floats(1e-4, 0.05), st.floats(1.05, 10))
def test_a_larger_level_never_gives_a_look_less(chosen, alpha, times):
    """What Holm's steps need (Maurer and Bretz, 2013); and no look may use more than all."""
    looks = tuple(sorted(chosen))
    smaller, larger = levels(alpha, looks), levels(min(0.49, times * alpha), looks)
    assert all(a <= b for a, b in zip(smaller, larger, strict=True))
    assert all(0 <= one <= alpha * (1 + 1e-9) for one in smaller)


def test_a_look_that_was_not_declared_is_refused():
    with pytest.raises(StudyError, match="scores of 4 seeds, and looks at 3, 5"):
        level(0.025, 4, (3, 5))


@pytest.mark.parametrize("looks", [(1, 2), (3, 3), (5, 3)])
def test_looks_ascend_from_two(looks):
    with pytest.raises(ValueError, match="ascending"):
        CompareConfig(looks=looks)


def test_a_look_may_use_less_than_a_study_looked_at_once(build, facts):
    """The same answers, three seeds: shown up when looked at once, not at the first of many looks."""
    tables = build({"math-a": {"control": 0.3, "x": 0.42}}, n=300)
    once, again = (
        compare_tables(tables, facts, "control", CompareConfig(looks=looks)).candidates[0].deltas[0]
        for looks in (None, (3, 50))
    )
    assert (once.finding, again.finding) == ("up", None)
    assert (once.low, once.high) == (again.low, again.high)
    assert once.smallest_effect < again.smallest_effect

"""The exact common odds ratio against scipy's where there is one stratum, and what strata are for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tasks.ledger.odds import Stratum, common_odds_ratio


@st.composite
def strata(draw):
    first, second = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    return Stratum(draw(st.integers(0, first)), first, draw(st.integers(0, second)), second)


@settings(max_examples=60, deadline=None)
@given(strata())
def test_one_stratum_is_scipys_conditional_odds_ratio(one: Stratum):
    found = common_odds_ratio([one], 0.95)
    if not one.informative:
        assert found is None
        return
    table = [[one.first, one.first_trials - one.first], [one.second, one.second_trials - one.second]]
    theirs = stats.contingency.odds_ratio(table)
    interval = theirs.confidence_interval(0.95)
    ours = (math.inf if one is None else one for one in (found.estimate, found.low, found.high))
    for mine, expected in zip(ours, (theirs.statistic, interval.low, interval.high), strict=True):
        assert mine == pytest.approx(expected, rel=2e-5, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(strata(), min_size=1, max_size=4))
def test_swapping_the_groups_inverts_the_ratio(some: list[Stratum]):
    ours = common_odds_ratio(some, 0.9)
    theirs = common_odds_ratio([Stratum(s.second, s.second_trials, s.first, s.first_trials) for s in some], 0.9)
    assert (ours is None) == (theirs is None)
    if ours is not None:
        assert ours.p_value == pytest.approx(theirs.p_value, rel=1e-5)
        assert ours.low == pytest.approx(0.0 if theirs.high is None else 1 / theirs.high, rel=2e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(strata(), min_size=1, max_size=4))
def test_the_interval_and_the_p_value_agree(some: list[Stratum]):
    found = common_odds_ratio(some, 0.95)
    if found is not None:
        excluded = found.low > 1 or (found.high is not None and found.high < 1)
        assert excluded == (found.p_value < 0.05 - 1e-9) or found.p_value == pytest.approx(0.05, rel=1e-4)
        assert found.low <= (math.inf if found.estimate is None else found.estimate) * (1 + 1e-5)


def test_strata_undo_simpsons_paradox():
    """In each benchmark near and far items are fixed alike; pooled, the easy benchmark makes near ones look better."""
    easy, hard = Stratum(80, 100, 8, 10), Stratum(1, 10, 10, 100)
    pooled = Stratum(81, 110, 18, 110)
    assert common_odds_ratio([pooled], 0.95).low > 1
    found = common_odds_ratio([easy, hard], 0.95)
    assert found.low < 1 < found.high
    assert found.estimate == pytest.approx(1.0, abs=0.05)


def test_thousands_of_items_are_no_trouble():
    found = common_odds_ratio([Stratum(1500, 4000, 1000, 4000), Stratum(300, 3000, 200, 3000)] * 2, 0.95)
    assert 1.5 < found.low < found.estimate < found.high < 2
    assert found.p_value < 1e-10

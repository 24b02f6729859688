import numpy as np
import pytest

from tasks.compare.attribution import filter_deltas, without_filters
from tasks.compare.config import CompareConfig, FilterArm
from tasks.compare.pairing import pair
from tasks.compare.verdict import judge

LACKS = FilterArm(arm="good-without-judge", candidate="good", filter="judge")


def test_a_filter_is_worth_its_candidate_minus_the_arm_that_lacks_it(build):
    tables = build({"math-a": {"control": 0.4, "good": 0.7, "good-without-judge": 0.45}})
    [found] = filter_deltas(pair(tables, "control"), [LACKS], 0.95)
    by_hand = np.mean([tables["good", s, "math-a"].correct for s in (1, 2, 3)])
    by_hand -= np.mean([tables["good-without-judge", s, "math-a"].correct for s in (1, 2, 3)])
    assert found.delta == pytest.approx(100 * by_hand, abs=1e-6)
    assert (found.candidate, found.filter, found.n_items, found.n_seeds) == ("good", "judge", 400, 3)
    assert 15 < found.low < found.delta < found.high < 35


def test_a_candidate_without_a_filter_is_told():
    assert without_filters(["good", "plain"], [LACKS]) == [
        "plain: attribute_filters has nothing to leave out, since no recipe with a filter made it"
    ]
    assert without_filters(["good", "plain"], []) == []


def test_the_verdicts_are_those_of_a_study_without_such_arms(build, facts):
    """An arm that lacks a filter is a question of its own: it must not make the verdicts' tests harder to pass."""
    tables = build({"math-a": {"control": 0.4, "good": 0.7, "good-without-judge": 0.45}})
    main = {key: table for key, table in tables.items() if key[0] != LACKS.arm}
    [alone] = judge(pair(main, "control"), facts, CompareConfig()).candidates
    assert alone.verdict == "helps"
    assert [delta.n_seeds for delta in alone.deltas] == [3]

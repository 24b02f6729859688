"""Learned, memorised or cannot tell: on items whose truth is known."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ledger.targeted import WeakItem, near_from
from tasks.ledger.targeted import targeted as targeted_by


def targeted(items, confidence, *, failures):
    return targeted_by(items, confidence, failures=failures, declared=0.5)


def items(count, fixed, near, held, stratum=("b", 0.0)):
    return [WeakItem(stratum, place < fixed, 0.8 if near else 0.2, held) for place in range(count)]


def test_learned_where_near_items_are_fixed_without_their_text():
    found = targeted([*items(100, 60, True, False), *items(100, 20, False, False)], 0.95, failures=False)
    assert found.conclusion == "learned"
    assert found.apart_to_far.low > 1 and found.held_to_rest is None
    assert (found.near.items, found.near.fixed, found.far.fixed) == (100, 60, 20)


def test_memorised_where_only_items_whose_text_is_held_are_fixed():
    some = [*items(50, 45, True, True), *items(100, 20, True, False), *items(100, 20, False, False)]
    found = targeted(some, 0.95, failures=False)
    assert found.conclusion == "memorised"
    assert found.near_to_far.low > 1  # and yet nothing was learned
    assert found.sentence.startswith("Memorised")


def test_both_is_learned_and_says_so():
    some = [*items(50, 49, True, True), *items(100, 60, True, False), *items(100, 20, False, False)]
    found = targeted(some, 0.95, failures=False)
    assert found.conclusion == "learned" and "more still" in found.sentence


def test_near_items_of_unknown_overlap_prove_nothing():
    found = targeted([*items(100, 60, True, None), *items(100, 20, False, None)], 0.95, failures=True)
    assert found.conclusion == "cannot tell" and "the failed questions" in found.sentence
    assert found.near_to_far.low > 1


def test_without_far_items_nothing_can_be_told():
    found = targeted(items(100, 60, True, False), 0.95, failures=False)
    assert found.conclusion == "cannot tell" and found.near_to_far is None
    assert targeted([], 0.95, failures=False) is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_equal_shares_are_never_called_learned(near, far):
    """Fixed alike, near or far: the exact interval holds one."""
    some = [*items(60, min(near, far), True, False), *items(60, min(near, far), False, False)]
    assert targeted(some, 0.95, failures=False).conclusion == "cannot tell"


def test_near_is_as_declared_unless_it_puts_all_items_on_one_side():
    assert near_from([0.2, 0.4, 0.6, 0.8], 0.5) == 0.5
    assert near_from([0.6, 0.7, 0.8, 0.9], 0.5) == 0.8
    assert near_from([0.1, 0.2, 0.3, 0.4], 0.5) == 0.3
    assert near_from([0.7, 0.7, 0.7], 0.5) == 0.5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.05, 1))
def test_half_of_the_items_or_fewer_are_near_where_the_median_splits_them(shares, declared):
    found = near_from(shares, declared)
    if found != declared:
        assert 0 < sum(share >= found for share in shares) <= len(shares) / 2

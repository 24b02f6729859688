"""What counts as fixed and as broken, and by what it is counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tasks.core.errors import IntegrityError
from tasks.ledger.changes import by_difficulty, by_level, by_topic, kinds, paired, topics


def of(control, candidate, names=None):
    names = names or [f"item-{n}" for n in range(len(control[0]))]
    return paired("b", *([(names, np.array(row, float)) for row in arm] for arm in (control, candidate)))


@pytest.mark.parametrize(
    ("control", "candidate", "kind"),
    [
        ([0], [1], "fixed"),
        ([1], [0], "broken"),
        ([0, 0], [1, 0], None),
        ([0, 0], [1, 1], "fixed"),
        ([0, 0, 0], [1, 1, 0], "fixed"),
        ([0, 0, 1], [1, 1, 0], None),
        ([1, 1, 1], [0, 0, 1], "broken"),
        ([0, 0, 0], [0.5, 0.5, 0.5], None),
    ],
)
def test_more_than_half_of_the_seeds_have_to_speak_for_a_change(control, candidate, kind):
    assert kinds(of([[x] for x in control], [[x] for x in candidate]).change) == [kind]


BITS = hnp.arrays(np.int8, st.tuples(st.just(2), st.integers(1, 4), st.integers(1, 20)), elements=st.integers(0, 1))


@given(BITS)
def test_swapping_the_arms_swaps_fixed_and_broken(bits):
    ours, theirs = of(bits[0], bits[1]), of(bits[1], bits[0])
    swapped = {"fixed": "broken", "broken": "fixed", None: None}
    assert kinds(ours.change) == [swapped[kind] for kind in kinds(theirs.change)]
    assert sum(one.items for one in by_difficulty([ours])) == bits.shape[2]
    assert sum(one.fixed + one.broken for one in by_topic([ours])) == sum(k is not None for k in kinds(ours.change))


def test_items_are_matched_by_name_and_others_are_refused():
    control = [(["a", "b"], np.array([1.0, 0.0]))]
    pair = paired("b", control, [(["b", "a"], np.array([1.0, 1.0]))])
    assert pair.items == ("a", "b")
    assert kinds(pair.change) == [None, "fixed"]
    with pytest.raises(IntegrityError, match="other items"):
        paired("b", control, [(["b", "c"], np.array([1.0, 1.0]))])


def test_a_topic_is_the_subset_that_the_names_carry():
    mmlu = [f"lukaemon_mmlu_{name}/{n}-0123456789ab" for name in ("college_biology", "college_physics") for n in (1, 2)]
    assert topics("mmlu", mmlu) == ("biology", "biology", "physics", "physics")
    assert topics("gsm8k", ["gsm8k/1-0123456789ab", "gsm8k/2-0123456789ab"]) == ("gsm8k", "gsm8k")
    assert topics("mine", ["q1", "q2"]) == ("mine", "mine")
    assert topics("bench", ["a/1-0123456789ab", "a_b/2-0123456789ab"]) == ("a", "a_b")


def test_difficulty_is_the_controls_own():
    pair = of([[0, 1, 1], [0, 0, 1]], [[1, 1, 1], [1, 1, 1]])
    assert pair.difficulty == ["never", "sometimes", "always"]
    assert [(one.group, one.items, one.fixed, one.broken) for one in by_difficulty([pair])] == [
        ("never", 1, 1, 0), ("sometimes", 1, 0, 0), ("always", 1, 0, 0),
    ]  # fmt: skip


def test_a_benchmarks_own_topics_and_levels_come_before_what_names_tell():
    right = (["a/1-0123456789ab", "a/2-0123456789ab", "b/3-0123456789ab"], np.array([0.0, 1.0, 0.0]))
    labels = {"a/1-0123456789ab": ("Algebra", "Level 5"), "b/3-0123456789ab": (None, "Level 1")}
    pair = paired("math", [right], [(right[0], np.array([1.0, 0.0, 1.0]))], labels)
    assert (pair.topics, pair.levels) == (("Algebra", "a", "b"), ("Level 5", "", "Level 1"))
    assert [(one.group, one.items, one.fixed, one.broken) for one in by_level([pair])] == [
        ("Level 1", 1, 1, 0), ("Level 5", 1, 1, 0),
    ]  # fmt: skip
    assert by_level([of([[0]], [[1]])]) == []

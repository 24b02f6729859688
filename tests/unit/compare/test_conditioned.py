"""Differences on clean and on matched items, and what turns a gain into a contaminated one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.graders import Grades
from tasks.compare.task import compare_tables
from tasks.core.errors import IntegrityError
from tests.unit.compare.conftest import table

FACTS = [
    BenchmarkFacts(name=name, domain=domain, metric="accuracy")
    for name, domain in (("math-a", "math"), ("math-b", "math"), ("facts", "knowledge"))
]


def study(gain, *, n=600, seeds=3, seed=5, base=0.3, names=("math-a",), arms=("x",)):
    """Answers of which each item's chance to be right goes from `base` to `base` + gain(item) in arm x only."""
    rng = np.random.default_rng(seed)
    tables = {}
    for name in names:
        difficulty = rng.random(n)
        for arm in ("control", *arms):
            for s in range(1, seeds + 1):
                luck = np.where(rng.random(n) < 0.1, rng.random(n), difficulty)
                extra = np.array([gain(i) for i in range(n)]) if arm == "x" else 0
                tables[arm, s, name] = table(name, luck < base + extra)
    return tables


def overlap(tables, ratio, arm="x"):
    """Each item's overlap with the rows of `arm`, by its number."""
    return {arm: {(name, item): ratio(i) for (_, _, name), s in tables.items() for i, item in enumerate(s.item)}}


def judged(tables, ratio, **config):
    return compare_tables(
        tables, FACTS, "control", CompareConfig(**config), overlaps=overlap(tables, ratio)
    ).candidates[0]


def at(result, threshold, benchmark="math-a"):
    return next(o for o in result.conditioned if (o.threshold, o.benchmark) == (threshold, benchmark))


def test_a_true_gain_with_irrelevant_overlap_still_helps():
    tables = study(lambda i: 0.2)
    result = judged(tables, lambda i: 0.9 if i % 4 == 0 else 0.0)
    assert result.verdict == "helps"
    for threshold in (0.3, 0.5, 0.8):
        one = at(result, threshold)
        assert (one.n_items, one.n_matched, one.shown_up) == (450, 150, True)
        assert one.p_matched > 0.025


def test_a_gain_on_matched_items_alone_is_contaminated():
    tables = study(lambda i: 0.6 if i % 5 == 0 else 0.0)
    result = judged(tables, lambda i: 1.0 if i % 5 == 0 else 0.0)
    assert result.deltas[0].finding == "up"
    assert result.verdict == "contaminated"
    one = at(result, 0.5)
    assert one.matched_delta > 50 and abs(one.delta) < 4 and not one.shown_up and one.p_matched < 1e-6
    assert "only on benchmark items that its rows match" in result.sentence
    assert "math-a has 120 items that a row holds 50 % or more of" in result.sentence
    assert "480 clean ones" in result.sentence
    assert result.more.startswith("Take the rows that match benchmark items out of the dataset and train again")
    assert result.warnings == ("math-a: its gain sits on items that the candidate's rows match, and is not claimed",)


def test_a_lower_overlap_is_a_warning_and_decides_where_it_is_declared():
    tables = study(lambda i: 0.6 if i % 5 == 0 else 0.0)
    result = judged(tables, lambda i: 0.35 if i % 5 == 0 else 0.0)
    assert result.verdict == "helps" and at(result, 0.5).n_matched == 0
    assert "counting items as matched from 30 % on, the gain on math-a sits on matched items" in result.warnings
    declared = judged(tables, lambda i: 0.35 if i % 5 == 0 else 0.0, overlap_ratio=0.3)
    assert declared.verdict == "contaminated" and "30 % or more" in declared.sentence


def test_too_few_clean_items_are_inconclusive():
    """The gain is the same on both, and the clean tenth is too small to show it."""
    tables = study(lambda i: 0.12)
    result = judged(tables, lambda i: 0.0 if i % 10 == 0 else 0.9)
    assert result.deltas[0].finding == "up"
    assert result.verdict == "inconclusive"
    assert "too few are left to tell" in result.sentence and "60 clean ones" in result.sentence
    assert "Take the rows that match" in result.more


def test_everything_matched_is_inconclusive_and_says_that_nothing_is_clean():
    result = judged(study(lambda i: 0.2), lambda i: 1.0)
    one = at(result, 0.8)
    assert result.verdict == "inconclusive"
    assert (one.delta, one.low, one.high, one.p_matched, one.n_items) == (None, None, None, None, 0)
    assert one.matched_delta == result.deltas[0].delta
    assert "and none that is clean" in result.sentence


def on_a_alone(tables, ratio):
    """Rows of x that match items of math-a alone."""
    return {"x": {key: one if key[0] == "math-a" else 0.0 for key, one in overlap(tables, ratio)["x"].items()}}


def two_gains(gain_b):
    """math-a gains on each fifth item alone, math-b everywhere."""
    tables = study(lambda i: 0.6 if i % 5 == 0 else 0.0)
    return tables | study(lambda i: gain_b, names=("math-b",), seed=6)


def fifths(tables):
    return on_a_alone(tables, lambda i: float(i % 5 == 0))


def test_a_leaked_gain_beside_a_clean_one_is_not_claimed():
    tables = two_gains(0.25)
    result = compare_tables(tables, FACTS, "control", CompareConfig(), overlaps=fifths(tables)).candidates[0]
    assert {delta.finding for delta in result.deltas} == {"up"}
    assert not at(result, 0.5).shown_up and at(result, 0.5, "math-b").shown_up
    assert result.verdict == "helps"
    claimed, leaked = result.sentence.split(" Its gain on ")
    assert "better on math-b (+" in claimed and "math-a" not in claimed
    assert leaked.startswith("math-a (+") and "sits on benchmark items that its rows match and is not claimed" in leaked
    assert "math-a: its gain sits on items that the candidate's rows match, and is not claimed" in result.warnings


def test_a_gain_that_too_few_clean_items_show_is_not_claimed_beside_a_clean_one():
    tables = study(lambda i: 0.12) | study(lambda i: 0.25, names=("math-b",), seed=6)
    overlaps = on_a_alone(tables, lambda i: 0.0 if i % 10 == 0 else 0.9)
    result = compare_tables(tables, FACTS, "control", CompareConfig(), overlaps=overlaps).candidates[0]
    claimed, unclear = result.sentence.split(" Its gain on ")
    assert result.verdict == "helps" and "math-a" not in claimed
    assert "math-a (+" in unclear and "is not shown on items that its rows do not match, and is not claimed" in unclear
    assert result.warnings == ()


def test_a_leaked_gain_beside_one_without_a_place_is_contaminated():
    """math-a leaked; of math-b nothing is clean, so nothing is left to claim."""
    tables = two_gains(0.25)
    overlaps = {"x": {key: 1.0 if key[0] == "math-b" else ratio for key, ratio in fifths(tables)["x"].items()}}
    result = compare_tables(tables, FACTS, "control", CompareConfig(), overlaps=overlaps).candidates[0]
    assert result.verdict == "contaminated"
    assert "none of it is shown on items that its rows do not match, and the gain on math-a sits on" in result.sentence


def test_both_graders_have_to_see_a_gain_that_is_clean():
    """The other grader sees the leaked gain alone: that makes two of a "helps" that rests on the clean one."""
    tables = two_gains(0.25)
    grades = {
        key: Grades(
            grader="math-verify", item=s.item, prediction=s.item, gold=s.item, evidence=s.item,
            correct=tables["control", *key[1:]].correct if key[2] == "math-b" else s.correct,
        )
        for key, s in tables.items()
    }  # fmt: skip
    result = compare_tables(
        tables, FACTS, "control", CompareConfig(), grades=grades, overlaps=fifths(tables)
    ).candidates[0]
    assert {one.benchmark: one.finding for one in result.regraded} == {"math-a": "up", "math-b": None}
    assert (result.verdict, result.lacking) == ("inconclusive", "agreement")


def test_a_clean_gain_that_is_larger_on_matched_items_is_a_warning():
    tables = study(lambda i: 0.7 if i % 5 == 0 else 0.2)
    result = judged(tables, lambda i: float(i % 5 == 0))
    assert result.verdict == "helps" and at(result, 0.5).p_matched < 0.025
    assert any(text.startswith("the gain is larger on items that the candidate's rows match: math-a") for text in
               result.warnings)  # fmt: skip


def test_a_contaminated_gain_beside_a_loss_says_both():
    tables = study(lambda i: 0.6 if i % 5 == 0 else 0.0)
    tables |= study(lambda i: -0.2, names=("math-b",), seed=6)
    result = judged(tables, lambda i: 1.0 if i % 5 == 0 else 0.0)
    assert result.verdict == "contaminated" and "It is worse on math-b" in result.sentence


def test_overlap_without_a_gain_changes_no_verdict():
    tables = study(lambda i: -0.2)
    assert judged(tables, lambda i: float(i % 2)).verdict == "hurts"
    tables = study(lambda i: 0.0, n=6000, seeds=5)
    assert judged(tables, lambda i: float(i % 2)).verdict == "no effect"


def test_one_seed_and_two_alone_stay_without_a_verdict():
    for seeds in (1, 2):
        result = judged(study(lambda i: 0.6 if i % 5 == 0 else 0.0, seeds=seeds), lambda i: float(i % 5 == 0))
        assert result.verdict == "inconclusive" and len(result.conditioned) == 3


def test_unchecked_items_count_as_clean_and_many_are_a_warning():
    tables = study(lambda i: 0.2, n=100)
    result = judged(tables, lambda i: math.nan if i < 20 else 0.0)
    assert at(result, 0.5).n_unchecked == 20 and at(result, 0.5).n_items == 100
    [warning] = result.warnings[-1:]
    assert warning.startswith("math-a: 20 of 100 items are too short")


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    arms=st.sampled_from([("x",), ("x", "y")]),
    seeds=st.integers(1, 4),
    gain=st.floats(-0.2, 0.4),
)
def test_without_overlap_nothing_changes(seed, arms, seeds, gain):
    tables = study(lambda i: gain, n=40, seeds=seeds, seed=seed, names=("facts", "math-a"), arms=arms)
    alone = compare_tables(tables, FACTS, "control", CompareConfig()).candidates
    for name, whole in zip(arms, alone, strict=True):
        overlaps = overlap(tables, lambda i: 0.29, name)
        both = compare_tables(tables, FACTS, "control", CompareConfig(), overlaps=overlaps).candidates
        result = next(one for one in both if one.name == name)
        assert (result.verdict, result.sentence, result.deltas) == (whole.verdict, whole.sentence, whole.deltas)
        for one in result.conditioned:
            delta = next(d for d in whole.deltas if d.benchmark == one.benchmark)
            assert (one.delta, one.low, one.high) == (delta.delta, delta.low, delta.high)
            assert (one.n_matched, one.matched_delta, one.p_matched) == (0, None, None)
            assert one.shown_up == (delta.finding == "up")


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.3, 0.4, 0.5, 0.79, 0.8, 1.0, math.nan]), min_size=30, max_size=30))
def test_every_item_is_clean_or_matched_and_more_are_clean_higher_up(ratios):
    result = judged(study(lambda i: 0.2, n=30), lambda i: ratios[i])
    sizes = []
    for threshold in (0.3, 0.5, 0.8):
        one = at(result, threshold)
        assert one.n_items + one.n_matched == 30
        assert one.n_matched == sum(ratio >= threshold for ratio in ratios)
        if one.delta is not None and one.matched_delta is not None:
            mean = (one.n_items * one.delta + one.n_matched * one.matched_delta) / 30
            assert mean == pytest.approx(result.deltas[0].delta, abs=1e-4)
        sizes.append(one.n_items)
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("matched", [0.1, 0.5, 0.9])
def test_a_true_gain_is_hardly_ever_called_contaminated(matched):
    """The same gain everywhere, and overlap by lot: of 60 studies at most 3 (its level is 2.5 %, and the gain has to
    be lost as well)."""
    wrong = 0
    for seed in range(60):
        lot = np.random.default_rng([seed, 1]).random(200) < matched
        tables = study(lambda i: 0.15, n=200, seed=seed)
        wrong += judged(tables, lambda i, lot=lot: float(lot[i])).verdict == "contaminated"
    assert wrong <= 3


def test_items_that_were_never_looked_for_are_refused():
    tables = study(lambda i: 0.0, n=20)
    overlaps = overlap(tables, lambda i: 0.0)
    del overlaps["x"]["math-a", "i007"]
    with pytest.raises(IntegrityError, match="i007 of math-a was scored, and never looked for"):
        compare_tables(tables, FACTS, "control", CompareConfig(), overlaps=overlaps)
    with pytest.raises(IntegrityError, match="overlaps of z"):
        compare_tables(tables, FACTS, "control", CompareConfig(), overlaps={"z": {}})


def test_clusters_stay_together():
    """The clean items of a clustered benchmark keep their clusters: intervals are those of the clean table alone."""
    tables = {
        key: table("math-a", s.correct, cluster=[f"c{i // 4}" for i in range(len(s.correct))])
        for key, s in study(lambda i: 0.1).items()
    }
    result = judged(tables, lambda i: float(i % 3 == 0))
    kept = [i for i in range(600) if i % 3]
    cut = {
        key: table(
            "math-a", s.correct[kept], cluster=[s.cluster[i] for i in kept], item=[s.item[i] for i in kept],
            prompt=[s.prompt[i] for i in kept],
        )
        for key, s in tables.items()
    }  # fmt: skip
    [delta] = compare_tables(cut, FACTS, "control", CompareConfig()).candidates[0].deltas
    one = at(result, 0.5)
    assert (one.delta, one.low, one.high) == (delta.delta, delta.low, delta.high)


@pytest.mark.parametrize(
    "wrong", [{"overlap_ratios": (0.5, 0.3)}, {"overlap_ratios": (0.0, 0.5)}, {"overlap_ratio": 0.4},
              {"overlap_ratios": (0.5, 1.1)}, {"overlap_ratios": ()}]
)  # fmt: skip
def test_thresholds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="overlap_ratio"):
        CompareConfig(**wrong)

"""A second grader: what it changes, what it cannot, and when a verdict turns on it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.compare.config import CompareConfig
from tasks.compare.graders import Grades, disagreements, regrade
from tasks.compare.pairing import Key, Scores, pair
from tasks.compare.task import compare_tables
from tasks.core.errors import IntegrityError
from tests.unit.compare.conftest import table


def grades_of(tables: dict[Key, Scores], **changes) -> dict[Key, Grades]:
    """The same word as the benchmark's own on every answer, items in the opposite order."""
    return {key: grades(scores, **changes) for key, scores in tables.items()}


def grades(scores: Scores, correct=None) -> Grades:
    correct = np.asarray(scores.correct if correct is None else correct, dtype=float)[::-1]
    items = list(scores.item)[::-1]
    return Grades(
        grader="math-verify", item=items, correct=correct, prediction=[f"so {item}" for item in items],
        gold=[f"#### {item}" for item in items], evidence=[f"stated; {item}" for item in items],
    )  # fmt: skip


def strict(tables: dict[Key, Scores], arm: str, drop: float) -> dict[Key, Grades]:
    """A grader that calls a share of one arm's right answers wrong."""
    rng = np.random.default_rng(3)
    return {
        key: grades(s, np.where(rng.random(len(s.correct)) < drop, 0, s.correct) if key[0] == arm else None)
        for key, s in tables.items()
    }


def verdict_on(tables, facts, made, **config):
    return compare_tables(tables, facts, "control", CompareConfig(**config), grades=made).candidates[0]


@pytest.fixture
def tables(build):
    return build({"math-a": {"control": 0.3, "x": 0.5}})


def test_a_grader_that_agrees_changes_nothing(tables, facts):
    alone = compare_tables(tables, facts, "control", CompareConfig()).candidates[0]
    both = verdict_on(tables, facts, grades_of(tables))
    [second], [delta] = both.regraded, both.deltas
    assert (second.delta, second.low, second.high, second.finding) == (delta.delta, delta.low, delta.high, "up")
    assert (second.grader, second.n_disagreements, second.n_undecided) == ("math-verify", 0, 0)
    assert both.disagreements == ()
    assert both.model_copy(update={"regraded": ()}) == alone


def test_where_it_cannot_tell_the_benchmarks_own_word_stands(tables, facts):
    unknown = {key: grades(s, np.full(len(s.correct), np.nan)) for key, s in tables.items()}
    result = verdict_on(tables, facts, unknown)
    [second] = result.regraded
    assert (result.verdict, second.delta) == ("helps", result.deltas[0].delta)
    assert (second.n_disagreements, second.n_undecided) == (0, 2 * 3 * 400)


def test_a_verdict_that_turns_on_the_grader_is_inconclusive(tables, facts):
    result = verdict_on(tables, facts, strict(tables, "x", 0.4))
    [second] = result.regraded
    assert result.verdict == "inconclusive"
    assert result.deltas[0].finding == "up" and second.finding is None
    assert "turns on the grader: helps by the benchmarks' own grading, and inconclusive by math-verify" in (
        result.sentence
    )
    assert f"disagree on {second.n_disagreements} answers of math-a" in result.sentence
    assert "Seeds do not make graders agree" in result.more
    assert "math-a: shown up by its own grading, and nothing by math-verify" in result.warnings


def test_a_grader_alone_makes_no_verdict(build, facts):
    """The first grader sees nothing; that the second would is said, and not more."""
    tables = build({"math-a": {"control": 0.5, "x": 0.5}})
    result = verdict_on(tables, facts, strict(tables, "control", 0.5))
    assert result.verdict == "inconclusive"
    assert "by math-verify alone the verdict would be: helps" in result.warnings


def test_disagreements_of_one_arm_can_turn_the_verdict_on_another(build, facts):
    """Arms share the seed variance and the Holm family; the sentence must not lay it on answers of its own."""
    tables = build({"math-a": {"control": 0.3, "x": 0.352, "y": 0.3}}, n=1000, seeds=3, seed=1)
    rng = np.random.default_rng(0)
    luck = {seed: float(np.clip(rng.normal(0.3, 0.3), 0, 1)) for seed in (1, 2, 3)}
    noisy = {
        key: grades(s, (rng.random(len(s.correct)) < luck[key[1]]) * 1.0 if key[0] == "y" else None)
        for key, s in tables.items()
    }
    result = verdict_on(tables, facts, noisy)
    assert result.deltas[0].finding == "up" and result.regraded[0].finding is None
    assert "They disagree on answers of other arms alone" in result.sentence


def test_ten_disagreements_are_shown_of_ten_items(build, facts):
    """Five seeds and two arms give ten answers of one item: one is enough to see what the graders differ on."""
    tables = build({"math-a": {"control": 0.3, "x": 0.5, "y": 0.5}}, n=40)
    flipped = {key: grades(s, 1 - s.correct) for key, s in tables.items()}
    results = compare_tables(tables, facts, "control", CompareConfig(), grades=flipped).candidates
    for result in results:
        shown = result.disagreements
        assert len(shown) == 10
        assert {one.arm for one in shown} <= {"control", result.name}
        assert len({one.item for one in shown}) == 10
        assert shown[0].prediction == f"so {shown[0].item}" and shown[0].gold == f"#### {shown[0].item}"
        assert all(one.regraded == 1 - one.scored for one in shown)
    regraded = regrade(pair(tables, "control"), flipped)
    assert len(list(disagreements(regraded))) == 3 * 3 * 40


def test_disagreements_name_the_right_answer(tables):
    """Rows come in any order; what is shown of an answer is that answer's."""
    key = ("x", 2, "math-a")
    made = grades_of(tables)
    word = tables[key].correct.copy()
    word[[17, 301]] = 1 - word[[17, 301]]
    [one, other] = disagreements(regrade(pair(tables, "control"), made | {key: grades(tables[key], word)}))
    assert [(d.arm, d.seed, d.item, d.evidence) for d in (one, other)] == [
        ("x", 2, "i017", "stated; i017"), ("x", 2, "i301", "stated; i301"),
    ]  # fmt: skip
    assert (one.scored, one.regraded) == (tables[key].correct[17], word[17])


@given(st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=12, max_size=12))
def test_the_pair_has_the_graders_word_or_the_own_one(word):
    own = np.array([0, 1] * 6, dtype=float)
    tables = {(arm, 1, "math-a"): table("math-a", own) for arm in ("control", "x")}
    made = grades_of(tables) | {("x", 1, "math-a"): grades(tables["x", 1, "math-a"], word)}
    [regraded] = regrade(pair(tables, "control"), made)
    expected = [o if np.isnan(w) else w for o, w in zip(own, word, strict=True)]
    assert regraded.pair.correct[1, 0].tolist() == expected
    assert regraded.undecided[1, 0].sum() == np.isnan(word).sum()


def test_grades_that_do_not_match_the_scores_are_refused(tables):
    key, made = ("x", 2, "math-a"), grades_of(tables)
    pairs = pair(tables, "control")

    def change(**columns):
        return made | {key: dataclasses.replace(made[key], **columns)}

    twice = [*made[key].item[1:], made[key].item[1]]
    for wrong, words in [
        ({k: v for k, v in made.items() if k != key}, "no grades of x, seed 2, on math-a, while others"),
        (change(item=[f"z{i}" for i in range(400)]), "the grades of x, seed 2, on math-a are of other items"),
        (change(item=twice), "of other items"),
        (change(item=made[key].item[1:], correct=made[key].correct[1:]), "of other items"),
        (change(correct=np.full(400, 1.5)), "1.5: `correct` is 0 to 1"),
        (made | {("y", 1, "math-a"): made[key]}, "grades of y, seed 1, on math-a, which was not scored"),
    ]:
        with pytest.raises(IntegrityError, match=words) as caught:
            regrade(pairs, wrong)
        assert "run again" in caught.value.remedy


def test_one_seed_stays_without_a_verdict_whoever_grades(build, facts):
    tables = build({"math-a": {"control": 0.2, "x": 0.6}}, seeds=1)
    result = verdict_on(tables, facts, strict(tables, "x", 0.9))
    assert result.verdict == "inconclusive" and "not tested" in result.sentence and "more seeds" in result.more

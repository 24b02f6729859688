"""The verdict rule, on answers made to order, and its rates of false calls."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.findings import find, guard_margin
from tasks.compare.pairing import Paired, pair
from tasks.compare.ruling import Setting, by_deltas
from tasks.compare.task import compare_tables
from tasks.compare.verdict import judge
from tasks.core.errors import StudyError
from tasks.core.multiplicity import holm
from tasks.core.results import CandidateResult

GOLDEN = Path(__file__).parent / "golden" / "comparison.json"


def verdict_on(tables, facts, **config) -> CandidateResult:
    return compare_tables(tables, facts, "control", CompareConfig(**config)).candidates[0]


def test_helps_without_guards_says_that_nothing_else_was_measured(build, facts):
    result = verdict_on(build({"math-a": {"control": 0.3, "x": 0.5}}), facts)
    assert result.verdict == "helps"
    assert result.deltas[0].finding == "up"
    assert "better on math-a (+" in result.sentence and "nothing beside" in result.sentence


def test_helps_with_a_guard_within_its_margin(build, facts):
    shares = {"math-a": {"control": 0.3, "x": 0.5}, "facts": {"control": 0.4, "x": 0.4}}
    result = verdict_on(build(shares, n=3000), facts, domain_margins={"knowledge": 4})
    assert (result.verdict, result.domains[0].within_margin) == ("helps", True)
    assert "nothing else that was measured is shown to suffer" in result.sentence


def test_a_guard_that_may_have_fallen_keeps_helps_away(build, facts):
    shares = {"math-a": {"control": 0.3, "x": 0.5}, "facts": {"control": 0.4, "x": 0.4}}
    result = verdict_on(build(shares, n=150), facts)
    assert result.verdict == "inconclusive"
    assert "better on math-a" in result.sentence and "knowledge as a whole" in result.sentence


def test_trades_names_both(build, facts):
    shares = {"math-a": {"control": 0.3, "x": 0.5}, "code": {"control": 0.5, "x": 0.3}}
    result = verdict_on(build(shares), facts)
    assert result.verdict == "trades"
    assert "better on math-a" in result.sentence and "worse on coding as a whole" in result.sentence


def test_hurts_on_a_primary_and_on_a_domain(build, facts):
    worse = {"control": 0.5, "x": 0.3}
    assert verdict_on(build({"math-a": worse}), facts).verdict == "hurts"
    same = {"control": 0.5, "x": 0.5}
    assert verdict_on(build({"math-a": same, "facts": worse}), facts).verdict == "hurts"


def test_mathematics_that_does_not_decide_counts_as_any_guard(build, facts):
    """Where a study lets one benchmark of mathematics decide, a fall on another one is a loss like any."""
    shares = {"math-a": {"control": 0.3, "x": 0.5}, "math-b": {"control": 0.5, "x": 0.3}}
    traded = verdict_on(build(shares), facts, primary=("math-a",))
    assert traded.verdict == "trades"
    assert "worse on mathematics that does not decide (−" in traded.sentence
    shares = {"math-a": {"control": 0.4, "x": 0.4}, "math-b": {"control": 0.5, "x": 0.3}}
    assert verdict_on(build(shares), facts, primary=("math-a",)).verdict == "hurts"
    assert verdict_on(build(shares), facts).domains == ()


def test_no_effect_needs_a_tight_interval(build, facts):
    same = {"math-a": {"control": 0.4, "x": 0.4}}
    assert verdict_on(build(same, seeds=5, n=6000), facts).verdict == "no effect"
    loose = verdict_on(build(same, n=150), facts)
    assert loose.verdict == "inconclusive"
    assert "could not have been seen" in loose.sentence


def test_identical_answers_are_never_helps_or_hurts(build, facts):
    tables = build({"math-a": {"control": 0.4}, "facts": {"control": 0.4}})
    tables |= {("x", seed, name): scores for (_, seed, name), scores in tables.items()}
    result = verdict_on(tables, facts)
    assert result.verdict in ("no effect", "inconclusive")
    assert {delta.delta for delta in result.deltas} == {0}


def test_one_seed_gives_no_verdict(build, facts):
    shares = {"math-a": {"control": 0.2, "x": 0.6}, "facts": {"control": 0.6, "x": 0.2}}
    comparison = compare_tables(build(shares, seeds=1), facts, "control", CompareConfig())
    result = comparison.candidates[0]
    assert result.verdict == "inconclusive"
    assert "These two checkpoints differ" in result.sentence
    assert "effect of the training data is not tested" in result.sentence
    assert {delta.finding for delta in result.deltas} == {None} and not result.domains[0].shown_down
    assert any("one seed" in text for text in comparison.warnings)


def test_two_seeds_borrow_and_say_so(build, facts):
    arms = {"control": 0.3, "x": 0.6, "y": 0.3}
    comparison = compare_tables(build({"math-a": arms}, seeds=2), facts, "control", CompareConfig())
    assert any("seed variance borrowed from the study's other arms" in text for text in comparison.warnings)
    alone = verdict_on(build({"math-a": {"control": 0.1, "x": 0.9}}, seeds=2), facts)
    assert (alone.verdict, "Two seeds alone" in alone.sentence) == ("inconclusive", True)


def test_order_of_tables_changes_nothing(build, facts):
    tables = build({"math-a": {"control": 0.3, "x": 0.5, "y": 0.3}, "facts": {"control": 0.4, "x": 0.4, "y": 0.4}})
    back = dict(reversed(tables.items()))
    ahead = compare_tables(tables, facts, "control", CompareConfig())
    assert compare_tables(back, facts[::-1], "control", CompareConfig()) == ahead


def test_truncation_gap_is_a_warning(build, facts):
    tables = build({"math-a": {"control": 0.3, "x": 0.3}})
    cut = {
        key: dataclasses.replace(scores, truncated=(np.arange(400) < 20) * 1.0) if key[0] == "x" else scores
        for key, scores in tables.items()
    }
    result = verdict_on(cut, facts)
    assert result.deltas[0].truncated_candidate == 5
    assert "5.0 % of the candidate's answers" in result.warnings[0]
    assert verdict_on(tables, facts).warnings == ()


def test_a_noisy_arm_is_a_warning(facts):
    rng = np.random.default_rng(2)
    arms = ("control", *"abcdefghi")
    luck = np.zeros((10, 5, 1))
    luck[1] = rng.normal(0, 0.2, (5, 1))
    paired = Paired(
        benchmark="math-a",
        arms=arms,
        seeds=(1, 2, 3, 4, 5),
        correct=(rng.random((10, 5, 2000)) < 0.4 + luck).astype(float),
        cluster=np.arange(2000),
        truncated=np.zeros(10),
        bits_per_byte=np.full(10, np.nan),
    )
    results = judge([paired], facts, CompareConfig()).candidates
    assert [bool(one.warnings) for one in results] == [True, *[False] * 8]


def test_roles_and_primary(build, facts):
    tables = build({name: {"control": 0.4, "x": 0.4} for name in ("math-a", "math-b", "facts")})
    roles = {delta.benchmark: delta.role for delta in verdict_on(tables, facts).deltas}
    assert roles == {"math-a": "primary", "math-b": "primary", "facts": "alarm"}
    roles = {delta.benchmark: delta.role for delta in verdict_on(tables, facts, primary=("facts",)).deltas}
    assert roles == {"math-a": "alarm", "math-b": "alarm", "facts": "primary"}


@pytest.mark.parametrize(
    ("config", "names", "words"),
    [
        ({"primary": ("math-z",)}, ["math-a"], "math-z was not scored"),
        ({}, ["facts"], "nothing decides"),
        ({}, ["unheard-of"], "no domain and metric for unheard-of"),
    ],
)
def test_a_study_without_what_decides_is_refused(build, facts, config, names, words):
    with pytest.raises(StudyError, match=words):
        verdict_on(build({name: {"control": 0.4, "x": 0.4} for name in names}), facts, **config)


def test_margins_are_fixed_by_the_plan():
    config = CompareConfig()
    assert guard_margin(14_042, 3, config) == 2.0
    assert guard_margin(14_042, 5, config) == 1.5
    assert guard_margin(14_042, 20, config) == 1.0
    assert guard_margin(198, 3, config) is None
    assert (config.domain_margin("coding", 3), config.domain_margin("coding", 5)) == (1.5, 1.0)
    assert CompareConfig(domain_margins={"coding": 6}).domain_margin("coding", 5) == 6


def test_holm_by_hand():
    """Thresholds .05/4, .05/3, .05/2, .05: the third fails, so the fourth cannot pass."""
    p_values = [np.array([0.04, 0.001]), np.array([0.03, 0.013])]
    assert holm(p_values, 0.05).tolist() == [[False, True], [False, True]]
    assert holm([], 0.05).size == 0


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=12), st.sampled_from([0.025, 0.05]))
def test_holm_is_that_of_statsmodels(p_values, alpha):
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed")
    rejected = multitest.multipletests(p_values, alpha=alpha, method="holm")[0]
    assert holm(p_values, alpha).tolist() == rejected.tolist()


@pytest.mark.parametrize("noise", [0.3, 2.0])
def test_false_calls_are_rare(noise, simulate):
    """Four candidates that differ in nothing: any false helps or hurts in at most 5 % of 300 studies (2.5 % each)."""
    rng, wrong, config = np.random.default_rng(23), 0, CompareConfig()
    facts = [BenchmarkFacts(name="math-a", domain="math", metric="accuracy")]
    for study in simulate(rng, 300, noise):
        paired = Paired(
            benchmark="math-a", arms=("control", "a", "b", "c", "d"), seeds=(1, 2, 3), correct=study,
            cluster=np.arange(study.shape[2]), truncated=np.zeros(5), bits_per_byte=np.full(5, np.nan),
        )  # fmt: skip
        found = find([paired], facts, config)
        verdicts = {by_deltas(evidence, Setting(3, 4, borrowing=True, config=config)).verdict for evidence in found}
        wrong += bool(verdicts & {"helps", "hurts", "trades"})
    assert wrong <= 15


def test_no_effect_is_not_said_beside_a_guard_in_doubt(build, facts):
    """Nothing moved on what decides, and a guard raised an alarm: that is no word of nothing having happened."""
    same = {"control": 0.4, "new": 0.4, "other": 0.4}
    pairs = pair(build({"math-a": same, "code": same}), "control")
    config = CompareConfig()
    evidence = find(pairs, facts, config)[0]
    calm = dataclasses.replace(evidence, within_band=True, domains=())
    deltas = [d.model_copy(update={"finding": None}) for d in evidence.deltas]
    alarmed = [d.model_copy(update={"finding": "alarm"}) if d.benchmark == "code" else d for d in deltas]
    setting = Setting(3, 2, borrowing=True, config=config)
    assert by_deltas(dataclasses.replace(calm, deltas=tuple(deltas)), setting).verdict == "no effect"
    doubted = by_deltas(dataclasses.replace(calm, deltas=tuple(alarmed)), setting)
    assert doubted.verdict == "inconclusive"
    assert "code" in doubted.sentence and "raises a drop alarm" in doubted.sentence


def test_golden_comparison(build, facts):
    """Set ASSAY_WRITE_GOLDEN=1 to write the file anew, then read the difference."""
    arms = {"control": 0.3, "worked": 0.45, "web": 0.3, "wrong": 0.15}
    tables = build({"math-a": arms, "facts": dict.fromkeys(arms, 0.4)}, n=120)
    made = compare_tables(tables, facts, "control", CompareConfig()).model_dump(mode="json")
    if os.environ.get("ASSAY_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert made == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_a_large_study_is_quick(facts):
    """13 benchmarks of 3,000 items, 5 seeds, 4 candidates: the numbers alone, well under a second each."""
    rng = np.random.default_rng(0)
    pairs = [
        Paired(
            benchmark=f"b{b:02}", arms=("control", "a", "b", "c", "d"), seeds=(1, 2, 3, 4, 5),
            correct=(rng.random((5, 5, 3000)) < 0.4).astype(float), cluster=np.arange(3000), truncated=np.zeros(5),
            bits_per_byte=np.full(5, np.nan),
        )
        for b in range(13)
    ]  # fmt: skip
    known = [BenchmarkFacts(name=one.benchmark, domain="math", metric="accuracy") for one in pairs]
    assert len(judge(pairs, known, CompareConfig()).candidates) == 4


def test_pairs_come_from_tables(build):
    assert [
        one.benchmark
        for one in pair(build({"b": {"control": 0.5, "x": 0.5}, "a": {"control": 0.5, "x": 0.5}}), "control")
    ] == ["a", "b"]


def test_a_look_is_told(build, facts):
    pairs = pair(build({"math-a": {"control": 0.4, "new": 0.5, "other": 0.4}}), "control")
    [told] = [text for text in judge(pairs, facts, CompareConfig(looks=(2, 3, 5))).warnings if "looked at" in text]
    assert "with 3 of up to 5 seeds" in told
    assert not any("looked at" in text for text in judge(pairs, facts, CompareConfig()).warnings)

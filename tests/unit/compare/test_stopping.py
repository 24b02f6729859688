"""Whether to go on after a look: on comparisons made by hand, and by what seeds can change and what they cannot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.graders import Grades
from tasks.compare.prospects import prospect
from tasks.compare.stopping import decide
from tasks.compare.task import compare_tables
from tasks.core.errors import StudyError
from tests.unit.compare.conftest import table


def decided(build, facts, shares, seeds, looks, n=400, **config):
    config = CompareConfig(looks=looks, **config)
    return decide(compare_tables(build({"math-a": shares}, seeds=seeds, n=n), facts, "control", config), config)


def test_a_large_gain_stops_clear(build, facts):
    found = decided(build, facts, {"control": 0.2, "x": 0.7, "y": 0.75}, 5, (3, 5, 10))
    assert (found.action, found.next_seeds, found.chances) == ("stop clear", None, {})


def test_a_gain_in_doubt_goes_on(build, facts):
    found = decided(build, facts, {"control": 0.3, "x": 0.335, "y": 0.3}, 3, (3, 5, 10))
    assert (found.action, found.next_seeds) == ("continue", 5)
    assert max(found.chances.values()) > 0.1 and "next look at 5" in found.sentence


def test_nothing_to_be_seen_stops_futile(build, facts):
    """Sixty items cannot show that 0.2 points are not there, nor a gain that is not."""
    found = decided(build, facts, {"control": 0.3, "x": 0.3}, 9, (3, 9, 10), n=60, band=0.2)
    assert found.action == "stop futile" and "hardly" in found.sentence


def test_the_last_look_stops(build, facts):
    found = decided(build, facts, {"control": 0.3, "x": 0.3}, 5, (3, 5), n=60)
    assert found.action == "stop futile" and "last look" in found.sentence


def test_decisions_need_looks(build, facts):
    with pytest.raises(StudyError, match="looks"):
        decided(build, facts, {"control": 0.3, "x": 0.3}, 3, None)


# -- what more seeds do not settle ----------------------------------------------------------------------------------


def gain(n, seeds=3, size=0.3, arms=("control", "x", "y"), flip=0.1):
    """Answers of one benchmark of which a share of the items, evenly spread, turn right in arm x at every seed."""
    rng = np.random.default_rng(11)
    difficulty, turned = rng.random(n), np.arange(n) % round(1 / size) == 0
    tables = {}
    for arm in arms:
        for seed in range(1, seeds + 1):
            right = np.where(rng.random(n) < flip, rng.random(n), difficulty) < 0.3
            tables[arm, seed, "math-a"] = table("math-a", right | turned if arm == "x" else right)
    return tables


def regraded(tables, word):
    """A second grader that calls the answers of arm x what word(items, correct) says."""

    def grades(arm, scores):
        correct = word(np.arange(len(scores.correct)), scores.correct) if arm == "x" else scores.correct
        told = [""] * len(correct)
        return Grades(
            grader="math-verify", item=scores.item, correct=np.asarray(correct, dtype=float), prediction=told,
            gold=told, evidence=told,
        )  # fmt: skip

    return {key: grades(key[0], scores) for key, scores in tables.items()}


def looked_at(tables, facts, grades=None, overlaps=None, looks=(3, 5, 8)):
    config = CompareConfig(looks=looks, band=0.3)
    comparison = compare_tables(tables, facts, "control", config, grades=grades, overlaps=overlaps)
    return comparison, decide(comparison, config)


def test_graders_that_disagree_are_not_waited_for(facts):
    """One sees thirty points, the other a loss of as many: eight seeds would see the same."""
    tables = gain(400)
    comparison, found = looked_at(tables, facts, regraded(tables, lambda i, correct: np.where(i % 4 < 3, 0, correct)))
    x = comparison.candidates[0]
    assert (x.verdict, x.lacking) == ("inconclusive", "agreement")
    assert found.chances["x"] < 0.01
    assert "x turns on the grader, and more seeds do not make graders agree." in found.sentence


def test_a_study_of_one_such_candidate_stops(facts):
    tables = gain(400, arms=("control", "x"), seeds=3)
    _, found = looked_at(tables, facts, regraded(tables, lambda i, correct: np.where(i % 4 < 3, 0, correct)))
    assert (found.action, found.next_seeds) == ("stop futile", None)
    assert "turns on the grader" in found.sentence


def test_a_second_grader_that_only_needs_more_seeds_is_waited_for(build, facts):
    """An early look is strict: one grader is just past its level, the other just short of it."""
    tables = build({"math-a": {"control": 0.3, "x": 0.38, "y": 0.3}}, n=400)
    grades = regraded(tables, lambda i, correct: np.where(i % 12 == 0, 0, correct))
    comparison, found = looked_at(tables, facts, grades, looks=(3, 5, 10))
    x = comparison.candidates[0]
    assert x.verdict == "inconclusive"
    assert found.action == "continue" and found.chances["x"] > 0.5


def on_few_clean(tables, clean):
    return {"x": {("math-a", item): 0.0 if i < clean else 0.9 for i, item in enumerate(tables["x", 1, "math-a"].item)}}


@pytest.mark.parametrize("clean", [0, 1, 8])
def test_clean_items_that_lack_are_not_waited_for(facts, clean):
    """A fifth of the items turn right, the same on both, and too few items are clean to show it."""
    tables = gain(600, size=0.2)
    comparison, found = looked_at(tables, facts, overlaps=on_few_clean(tables, clean))
    x = comparison.candidates[0]
    assert (x.verdict, x.lacking) == ("inconclusive", "clean items")
    assert found.chances["x"] < 0.1
    assert "x lacks items that its rows do not match, and more seeds add none." in found.sentence


def test_clean_items_that_only_need_more_seeds_are_waited_for(facts):
    """Half of the items are clean, and training noise alone hides the gain on them."""
    rng, n, looks = np.random.default_rng(4), 2000, (3, 5, 20)
    tables = {}
    for arm in ("control", "x"):
        for seed in range(1, 4):
            luck = rng.normal(0, 0.02)
            tables[arm, seed, "math-a"] = table("math-a", rng.random(n) < 0.4 + luck + 0.06 * (arm == "x"))
    config = CompareConfig(looks=looks, band=0.3)
    result = compare_tables(tables, facts, "control", config, overlaps=on_few_clean(tables, 1000)).candidates[0]
    assert result.verdict == "inconclusive"
    assert prospect(result, 3, 1, looks, config).chance > 0.3


def test_what_only_more_items_would_show_is_not_waited_for(facts):
    """Every seed answers alike, so no further seed says anything new, and 40 items cannot show a gain of a few."""
    rng = np.random.default_rng(2)
    difficulty = rng.random(40)
    right = {"control": difficulty < 0.4, "x": (difficulty < 0.4) | (rng.random(40) < 0.05)}
    tables = {(arm, s, "math-a"): table("math-a", right[arm]) for arm in right for s in (1, 2, 3)}
    _, found = looked_at(tables, facts, looks=(3, 5, 30))
    assert found.action == "stop futile" and found.chances["x"] < 0.05


def test_the_parts_of_a_variance_are_those_of_the_estimator(facts):
    """The items' part is what stays: with very many seeds the standard error is that of the items alone."""
    few, many = (
        compare_tables(gain(400, seeds), facts, "control", CompareConfig()).candidates[0].deltas[0] for seeds in (3, 60)
    )
    items = (few.item_sd**2 - few.flip_sd**2 / 3) / few.n_items
    assert many.standard_error == pytest.approx(items**0.5, rel=0.15)


def test_a_guard_that_falls_is_a_verdict_to_come():
    """No primary moves, and a domain falls beyond what chance does: it will be `hurts`."""
    facts = [
        BenchmarkFacts(name=n, domain=d, metric="accuracy") for n, d in (("math-a", "math"), ("facts", "knowledge"))
    ]
    rng = np.random.default_rng(9)
    tables = {}
    for arm in ("control", "x", "y"):
        for seed in (1, 2, 3):
            tables[arm, seed, "math-a"] = table("math-a", rng.random(300) < 0.4)
            tables[arm, seed, "facts"] = table("facts", rng.random(300) < 0.5 - 0.12 * (arm == "x"))
    _, found = looked_at(tables, facts, looks=(3, 5, 20))
    assert found.chances["x"] > 0.5


# -- the levels that the last look tests at --------------------------------------------------------------------------

DOMAINS = ("math", "knowledge", "reasoning", "coding")


def last_look(primaries=(), domains=(), **config):
    """The chance of a candidate at the last of its looks, where it is 0 or 1: whether the last look finds anything.

    Args:
        primaries, domains: (delta, standard error) in points, one each; the domains count one guard.
    """
    math_sets = [f"math-{n}" for n in range(max(1, len(primaries)))]
    guards = DOMAINS[1 : 1 + len(domains)]
    facts = [BenchmarkFacts(name=name, domain="math", metric="accuracy") for name in math_sets]
    facts += [BenchmarkFacts(name=name, domain=name, metric="accuracy") for name in guards]
    rng, config = np.random.default_rng(5), CompareConfig(looks=(3, 5), **config)
    tables = {
        (arm, seed, fact.name): table(fact.name, rng.random(60) < 0.5)
        for arm in ("control", "x") for seed in range(1, 6) for fact in facts
    }  # fmt: skip
    found = compare_tables(tables, facts, "control", config).candidates[0]
    places = dict(zip(math_sets, primaries or [(0.0, 5.0)], strict=True))
    deltas = [
        one.model_copy(update={"delta": places[one.benchmark][0], "standard_error": places[one.benchmark][1]})
        if one.benchmark in places
        else one
        for one in found.deltas
    ]
    pooled = [
        one.model_copy(update={"delta": delta, "low": delta - 1.96 * error, "high": delta + 1.96 * error})
        for one, (delta, error) in zip(found.domains, domains, strict=True)
    ]
    result = found.model_copy(update={"deltas": tuple(deltas), "domains": tuple(pooled)})
    return prospect(result, 5, 1, (3, 5), config).chance


def test_domains_share_a_level_among_themselves_and_not_with_the_primaries():
    """2.2 standard errors down: shown by one domain, beside however many primaries, and not by one of three."""
    down, nothing = (-2.2, 1.0), (0.0, 5.0)
    assert last_look([nothing] * 3, [down]) == pytest.approx(1)
    assert last_look([nothing], [down, nothing, nothing]) == pytest.approx(0, abs=0.01)
    assert last_look([nothing], [(-2.6, 1.0), nothing, nothing]) == pytest.approx(1)


def test_a_study_without_guards_has_no_domains_to_test():
    assert last_look([(3.0, 1.0)]) == pytest.approx(1)


def test_the_band_of_no_effect_has_its_own_level_whatever_that_of_alarms():
    """Its interval is 1.6 standard errors wide each way at the last look; an alarm's may be narrower."""
    assert last_look([(0.0, 1.5)], alarm_alpha=0.2) == pytest.approx(0, abs=0.01)
    assert last_look([(0.0, 1.1)], alarm_alpha=0.01) == pytest.approx(1)


def standing(share, spread, clean):
    """A candidate with a gain, that another grader sees a little differently and that may sit on matched items."""
    rng = np.random.default_rng(round(1000 * share))
    difficulty, tables = rng.random(80), {}
    for arm, raised in (("control", 0.0), ("x", share)):
        for s in (1, 2, 3):
            tables[arm, s, "math-a"] = table("math-a", difficulty < 0.3 + raised + rng.normal(0, spread))
    facts = [BenchmarkFacts(name="math-a", domain="math", metric="accuracy")]
    grades = regraded(tables, lambda i, correct: np.where(i % 9 == 0, 1 - correct, correct))
    config = CompareConfig(looks=(3, 9))
    judged = compare_tables(
        tables, facts, "control", config, grades=grades, overlaps=on_few_clean(tables, round(80 * clean))
    )
    return judged.candidates[0], config


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 0.5), st.floats(0, 0.05), st.floats(0, 1))
def test_a_second_look_at_the_answers_or_the_items_never_makes_a_verdict_likelier(share, spread, clean):
    result, config = standing(share, spread, clean)

    def chance(**without):
        return prospect(result.model_copy(update=without), 3, 1, (3, 9), config).chance

    both = chance()
    assert 0 <= both <= min(chance(regraded=()), chance(conditioned=())) <= 1

"""What a plan says of a study: against a known formula, against simulation, and by what must hold of any."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.findings import find
from tasks.compare.pairing import Paired
from tasks.compare.power import SeedScores, item_spread, needed, needed_after, plan, planned, training_noise
from tasks.compare.task import compare_tables
from tasks.core.errors import StudyError
from tasks.core.results import PlannedBenchmark, TrainingNoise

NOISE = TrainingNoise(points=1.0, source="default")
CONFIG = CompareConfig()


def benchmark(name="math", n=5_000, role="primary", domain="math", **assumed) -> PlannedBenchmark:
    return PlannedBenchmark(benchmark=name, domain=domain, role=role, n_items=n, **assumed)


def planned_study(benchmarks=None, seeds=5, candidates=4, noise=NOISE, config=CONFIG, **rest):
    return plan(benchmarks or [benchmark()], seeds=seeds, candidates=candidates, noise=noise, config=config, **rest)


def test_many_seeds_are_millers_formula():
    """One test, 50 seeds: power = Phi(effect / se - z), se = sqrt(item_sd^2 / n + noise^2 / S)."""
    found = planned_study(seeds=50, candidates=1, effect={"math": 1.0})
    se = math.sqrt(30**2 / 5_000 + 1 / 50)
    assert found.benchmarks[0].standard_error == pytest.approx(se, abs=1e-4)
    assert found.chances[1].by_benchmark["math"] == pytest.approx(stats.norm.cdf(1 / se - 1.96), abs=0.02)
    assert found.benchmarks[0].smallest_effect == pytest.approx(2.8 * se, rel=0.03)


def test_few_seeds_are_the_noncentral_t():
    """One candidate, noise alone: the power of a t test of S - 1 degrees of freedom."""
    only_noise = benchmark(n=1_000_000, item_sd=1, flip_sd=0)
    found = planned_study([only_noise], seeds=4, candidates=1, effect={"math": 2.0})
    exact = stats.nct.sf(stats.t.isf(0.025, 3), 3, 2 / math.sqrt(1 / 4))
    assert found.chances[1].by_benchmark["math"] == pytest.approx(exact, abs=0.02)


def test_the_plan_is_what_studies_find(simulate):
    """Three seeds, one candidate of four gains: planned and simulated chances within 9 points (200 studies)."""
    rng, n, effect = np.random.default_rng(4), 400, 8.0
    facts = [BenchmarkFacts(name="math", domain="math", metric="accuracy")]
    seen, items, flips = 0, [], []
    for study in simulate(rng, 200, 1.0, n=n):
        raised = study.copy()
        # Wrong answers turn right with the chance that makes the gain, on the same items at every seed.
        turned = rng.random(n) < effect / 100 / 0.7
        raised[1] = np.maximum(raised[1], turned)
        pair = Paired(
            benchmark="math", arms=("control", "a", "b", "c", "d"), seeds=(1, 2, 3), correct=raised,
            cluster=np.arange(n), truncated=np.zeros(5), bits_per_byte=np.full(5, np.nan),
        )  # fmt: skip
        delta = find([pair], facts, CONFIG)[0].deltas[0]
        seen += delta.finding == "up"
        items.append(delta.item_sd**2)
        difference = raised[1] - raised[0]
        flips.append(100**2 * difference.var(axis=0, ddof=1).mean())
    told = benchmark(n=n, item_sd=math.sqrt(np.mean(items)), flip_sd=math.sqrt(np.mean(flips)))
    chance = planned_study([told], seeds=3, effect={"math": effect}).chances[1].by_benchmark["math"]
    assert chance == pytest.approx(seen / 200, abs=0.09)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 8), st.integers(1, 5), st.floats(0.1, 3), st.floats(0.5, 6))
def test_more_of_anything_is_seen_better(seeds, candidates, noise, effect):
    def seen(seeds, candidates, noise, effect, n=2_000):
        assumed = TrainingNoise(points=noise, source="default")
        made = planned_study([benchmark(n=n)], seeds, candidates, assumed, effect={"math": effect})
        return made.chances[1].any_primary

    base = seen(seeds, candidates, noise, effect)
    little = 0.02  # draws differ between numbers of seeds
    assert seen(seeds + 3, candidates, noise, effect) >= base - little
    assert seen(seeds, candidates, noise / 2, effect) >= base
    assert seen(seeds, candidates, noise, effect + 1) >= base
    assert seen(seeds, candidates, noise, effect, n=8_000) >= base - little


def test_chances_fall_as_noise_grows_and_are_given_at_half_once_and_twice():
    found = planned_study().chances
    assert [(one.times, one.noise) for one in found] == [(0.5, 0.5), (1, 1), (2, 2)]
    assert found[0].any_primary > found[1].any_primary > found[2].any_primary
    assert found[0].unharmed == 1  # there is no guard


def test_guards_and_domains_stand_in_the_way():
    guard = benchmark("facts", 14_000, "guard", "knowledge")
    alarm = benchmark("code", 164, "alarm", "coding")
    found = planned_study([benchmark(), guard, alarm])
    roles = {one.benchmark: one for one in found.benchmarks}
    assert roles["facts"].margin == 1.5 and roles["code"].margin is None
    assert roles["code"].passes == pytest.approx(0.95, abs=0.01)
    free = found.chances[1].unharmed
    assert (
        free < roles["facts"].passes * roles["code"].passes
    )  # the coding domain of 164 items is hardly ever shown within 1
    assert planned_study([benchmark(), guard]).chances[1].unharmed > free


def test_one_seed_shows_nothing():
    found = planned_study(seeds=1)
    assert found.benchmarks[0].smallest_effect is None
    assert {one.any_primary for one in found.chances} == {0.0}
    assert found.needed.seeds is not None and found.needed.seeds > 1 and found.needed.items_times is None


def test_the_cheapest_change():
    """Items help where they are the noise and cost a fifth; seeds where training is; nothing where it is enough."""
    quiet = TrainingNoise(points=0.1, source="default")
    few = needed([benchmark(n=400)], seeds=3, candidates=4, noise=quiet, config=CONFIG)
    assert few.cheapest == "items" and few.items_times > 2
    assert few.cost_times == pytest.approx(1 + 0.2 * (few.items_times - 1), abs=0.01)
    loud = needed([benchmark()], seeds=3, candidates=4, noise=NOISE, config=CONFIG)
    assert (loud.cheapest, loud.items_times) == ("seeds", None)
    assert loud.cost_times == pytest.approx(loud.seeds / 3, abs=0.01)
    enough = needed([benchmark()], seeds=10, candidates=4, noise=quiet, config=CONFIG)
    assert (enough.cheapest, enough.seeds, enough.items_times, enough.cost_times) == ("nothing", 10, 1, 1)
    never = needed([benchmark()], seeds=3, candidates=4, noise=NOISE, config=CONFIG, effect={"math": 0.01})
    assert (never.cheapest, never.seeds, never.items_times, never.cost_times) == (None, None, None, None)


def test_what_is_needed_is_enough():
    few = needed([benchmark(n=8_000)], seeds=3, candidates=4, noise=NOISE, config=CONFIG)
    for seeds, enough in ((few.seeds, True), (few.seeds - 1, False)):
        made = planned_study([benchmark(n=8_000)], seeds=seeds).chances[1].any_primary
        assert (made >= 0.8) == enough


def test_needed_after_a_study_takes_what_it_found(build, facts):
    tables = build({"math-a": {"control": 0.3, "x": 0.33, "y": 0.3}}, n=300)
    deltas = compare_tables(tables, facts, "control", CONFIG).candidates[0].deltas
    found = needed_after(deltas, candidates=2, config=CONFIG)
    assert found.effect == {"math-a": 2.0} and found.now < 0.8
    assert found.cheapest in ("seeds", "items")
    assert found.now > needed_after(deltas, candidates=8, config=CONFIG).now


def test_looks_cost_a_little():
    looked = CompareConfig(looks=(3, 4, 5))
    once, often = (planned_study(config=config).chances[1].any_primary for config in (CONFIG, looked))
    assert once - 0.05 < often < once


def test_training_noise_is_found_again():
    """Arms that differ by seed with a spread of 1.2 points a difference, and flips on top, which are taken off."""
    rng, n = np.random.default_rng(8), 1_319
    flips = 20 / math.sqrt(2 * n)
    scores = [
        SeedScores(
            benchmark=f"b{number}",
            n_items=n,
            accuracy=(
                40 + rng.normal(0, 3, (5, 1)) + rng.normal(0, 1, (1, 4))
                + rng.normal(0, 1.2 / math.sqrt(2), (5, 4)) + rng.normal(0, flips, (5, 4))
            ).tolist(),
        )
        for number in range(40)
    ]  # fmt: skip
    found = training_noise(scores, NOISE)
    assert found.points == pytest.approx(1.2, rel=0.1)
    assert (found.degrees, found.source) == (40 * 12, "earlier studies")
    assert training_noise([SeedScores("b", n, [[40.0], [41.0]])], NOISE) == NOISE


def lucky_scores(study) -> SeedScores:
    """The scores of a study's answers, shape (arms, seeds, items)."""
    return SeedScores("math", study.shape[2], (100 * study.mean(axis=2)).tolist())


def test_what_all_seeds_get_right_or_wrong_says_nothing_of_training_noise(simulate):
    moved = [lucky_scores(study) for study in simulate(np.random.default_rng(3), 4, 3.0, n=400)]
    still = [SeedScores(f"{percent}", 400, [[percent] * 3] * 5) for percent in (0.0, 100.0)]
    alone = training_noise(moved, NOISE)
    assert alone.points == pytest.approx(3.0, rel=0.4)
    assert training_noise([*moved, *still], NOISE) == alone
    assert training_noise(still, NOISE) == NOISE


def test_fewer_answers_flip_where_nearly_all_are_right():
    def noise_at(accuracy):
        table = accuracy + np.random.default_rng(1).normal(0, 3, (5, 4))
        return training_noise([SeedScores("b", 100, table.tolist())] * 4, NOISE).points

    assert noise_at(90) ** 2 - noise_at(50) ** 2 == pytest.approx((1 - 4 * 0.9 * 0.1) * 400 / 100, abs=0.05)


@pytest.mark.parametrize(("noise", "n"), [(1.0, 200), (1.0, 1_000), (3.0, 200)])
def test_training_noise_of_earlier_studies_is_seldom_half_the_truth(simulate, noise, n):
    """One store in twenty, by design, and the luck of 200 of them: a study each, three seeds and four candidates."""
    studies = simulate(np.random.default_rng(11), 200, noise, n=n)
    found = [training_noise([lucky_scores(study)], NOISE).points for study in studies]
    assert np.mean(np.array(found) < noise / 2) < 0.08
    assert min(found) > 0


def test_earlier_studies_that_say_too_little_are_called_so():
    flat = [SeedScores("b", 50, [[40.0, 40.0, 40.0], [50.0, 50.0, 50.0]])] * 4  # flips alone would be more
    declared = TrainingNoise(points=0.7, source="the study")
    assert training_noise(flat, declared) == TrainingNoise(
        points=0.7, source="the study, since earlier studies say too little"
    )
    few = [SeedScores("b", 5_000, [[40.0, 42.0], [50.0, 49.0]])]  # one degree of freedom
    assert training_noise(few, TrainingNoise(points=5.0, source="default")).points == 5
    assert training_noise(few, declared).degrees == 1  # what is more than declared is not thrown away


def test_a_spread_from_an_accuracy():
    assert item_spread(0.5) == pytest.approx(100 * math.sqrt(2 * 0.25 * 0.2))
    assert item_spread(0.0) == 10
    fact = BenchmarkFacts(name="math", domain="math", metric="accuracy")
    assert planned(fact, 1_319, 3, CONFIG).item_sd == CONFIG.planned_item_sd
    assert planned(fact, 1_319, 3, CONFIG, accuracy=0.5).item_sd == item_spread(0.5)


@pytest.mark.parametrize(
    ("n", "domain", "primary", "role"),
    [(198, "math", None, "primary"), (14_000, "knowledge", None, "guard"), (198, "knowledge", None, "alarm"),
     (14_000, "math", ("other",), "guard"), (198, "coding", ("it",), "primary")],
)  # fmt: skip
def test_roles_are_those_after_the_run(n, domain, primary, role):
    fact = BenchmarkFacts(name="it", domain=domain, metric="accuracy")
    assert planned(fact, n, 3, CompareConfig(primary=primary)).role == role


def test_a_plan_without_what_decides_is_refused():
    with pytest.raises(StudyError, match="nothing decides"):
        planned_study([benchmark(role="alarm")])
    with pytest.raises(StudyError, match="facts, which does not decide"):
        planned_study(effect={"facts": 2.0})

"""The chance of "helps", its guards counted, held against plans that declare what it suggests."""

from typing import NamedTuple

import pytest

from tasks.compare.config import CompareConfig
from tasks.compare.helping import helps_plan
from tasks.compare.power import plan
from tasks.core.results import HelpsPlan, PlannedBenchmark, PowerPlan, TrainingNoise

NOISE = TrainingNoise(points=1.0, source="default")
BENCHMARKS = [
    PlannedBenchmark(benchmark="math", domain="math", role="primary", n_items=5_000),
    PlannedBenchmark(benchmark="mmlu", domain="knowledge", role="guard", n_items=14_042),
    PlannedBenchmark(benchmark="code", domain="coding", role="alarm", n_items=164),
]


class Planned(NamedTuple):
    power: PowerPlan
    helps: HelpsPlan | None


def planned(seeds=3, candidates=2, effect=4.0, benchmarks=BENCHMARKS, **declared):
    config = CompareConfig(effect=effect, **declared)
    power = plan(benchmarks, seeds=seeds, candidates=candidates, noise=NOISE, config=config)
    return Planned(power, helps_plan(benchmarks, power, config))


@pytest.fixture(scope="module")
def usual():
    return planned()


def test_it_takes_both_the_effect_and_the_guards(usual):
    once = usual.power.chances[1]
    assert usual.helps.unharmed == once.unharmed < once.any_primary
    assert usual.helps.chance == pytest.approx(once.any_primary * once.unharmed, abs=1e-3)


def test_what_stands_in_the_way_is_named(usual):
    found = usual.helps.in_the_way
    assert set(found) == {"mmlu", "knowledge as a whole", "code", "coding as a whole"}
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert next(iter(found)) == "coding as a whole" and found["coding as a whole"] > 0.8
    assert found["code"] == pytest.approx(0.05, abs=0.02)  # an alarm's level


def test_the_margins_that_it_suggests_keep_their_word(usual):
    before = usual.helps
    after = planned(domain_margins=before.margins).helps
    assert after.chance == before.with_margins > 2 * before.chance
    assert max(after.in_the_way[f"{domain} as a whole"] for domain in before.margins) <= 0.05
    assert after.margins == {}


def test_the_seeds_that_it_suggests_keep_their_word():
    guarded = BENCHMARKS[:2]
    found, needed = planned(effect=2.0, benchmarks=guarded).helps, planned(effect=2.0, benchmarks=guarded).power.needed
    assert planned(seeds=needed.seeds, effect=2.0, benchmarks=guarded).helps.chance == found.with_seeds
    assert found.seeds > needed.seeds
    assert planned(seeds=found.seeds, effect=2.0, benchmarks=guarded).helps.chance >= 0.8


def test_so_they_do_where_the_study_is_looked_at_before_the_end():
    """More seeds move the last look, and with it the levels and the margins that guards are planned with."""
    guarded = BENCHMARKS[:2]

    def until(seeds):
        return planned(seeds=seeds, effect=2.0, benchmarks=guarded, looks=(2, 3, seeds))

    found = until(4)
    assert until(found.power.needed.seeds).helps.chance == found.helps.with_seeds
    assert found.helps.seeds > found.power.needed.seeds > 4
    assert until(found.helps.seeds).helps.chance >= 0.8


def test_no_number_of_seeds_mends_a_domain_that_is_too_small(usual):
    assert usual.helps.seeds is None


def test_more_items_on_what_decides_do_nothing_for_the_guards():
    found = planned(effect=3.0)
    assert found.helps.with_items == pytest.approx(0.8 * found.helps.unharmed, abs=1e-3)


def test_mathematics_that_does_not_decide_is_a_domain_too():
    other = PlannedBenchmark(benchmark="aime", domain="math", role="alarm", n_items=30)
    assert planned(benchmarks=[BENCHMARKS[0], other]).helps.in_the_way["mathematics that does not decide"] > 0.9


def test_without_guards_or_with_one_seed_nothing_is_said():
    assert planned(benchmarks=BENCHMARKS[:1]).helps is None
    assert planned(seeds=1).helps is None

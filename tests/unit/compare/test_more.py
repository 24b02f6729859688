"""What more it would take: the sentence of every inconclusive verdict."""

import re

import pytest

from tasks.compare.config import CompareConfig
from tasks.compare.findings import Evidence
from tasks.compare.more import what_it_takes
from tasks.compare.task import compare_tables
from tasks.core.results import Delta, DomainDelta

CONFIG = CompareConfig()


def delta(benchmark="math", role="primary", finding=None, low=-1.0, high=1.0, margin=None, error=0.5):
    return Delta(
        benchmark=benchmark, domain="math", metric="accuracy", role=role, delta=(low + high) / 2, low=low, high=high,
        standard_error=error, degrees_of_freedom=20, p_up=0.5, p_down=0.5, n_items=1319, n_seeds=3, n_clusters=1319,
        control=40.0, candidate=40.0, margin=margin, smallest_effect=3 * error, truncated_control=0.0,
        truncated_candidate=0.0, bits_per_byte_control=None, bits_per_byte_candidate=None, finding=finding,
        item_sd=20.0, training_noise=0.5,
    )  # fmt: skip


def domain(low, high, margin=1.5):
    return DomainDelta(
        domain="knowledge", delta=(low + high) / 2, low=low, high=high, margin=margin, within_margin=False,
        benchmarks=("mmlu",),
    )  # fmt: skip


def takes(lacking, deltas=None, domains=(), most=None):
    evidence = Evidence(
        name="x", deltas=tuple(deltas or [delta()]), domains=tuple(domains), within_band=False, noisy=()
    )
    return what_it_takes(lacking, evidence, 4, CONFIG, most or {})


def test_nothing_is_lacking_where_there_is_a_verdict(build, facts):
    same = {"math-a": {"control": 0.3, "x": 0.5}}
    assert compare_tables(build(same), facts, "control", CONFIG).candidates[0].more == ""
    assert takes("nothing") == ""


def test_an_unseen_effect_takes_seeds_or_items(build, facts):
    tables = build({"math-a": {"control": 0.4, "x": 0.41}}, n=900)
    result = compare_tables(tables, facts, "control", CONFIG.model_copy(update={"effect": 4.0})).candidates[0]
    assert result.verdict == "inconclusive"
    assert re.search(
        r"To see a gain of 4 points with a chance of 80 % .*(seeds in place of 3|times the items)", result.more
    )


def test_a_study_that_could_have_seen_it_says_so(build, facts):
    tables = build({"math-a": {"control": 0.4, "x": 0.41}}, n=900)
    result = compare_tables(tables, facts, "control", CONFIG.model_copy(update={"effect": 30.0})).candidates[0]
    assert "A gain of 30 points would have been seen with a chance of" in result.more
    assert "look for a smaller one" in result.more and "`" not in result.more  # a report shows sentences as they are


def test_where_neither_alone_would_do_both_together_are_named():
    """Three standard errors of 10 points are 30, so 2 points take (30/2)^2 = 225 times both."""
    wide = delta(error=10.0).model_copy(update={"item_sd": 100.0, "training_noise": 40.0, "n_items": 60})
    assert takes("power", [wide]) == (
        "To see a gain of 2 points with a chance of 80 %, neither more seeds nor more items alone would do; it takes "
        "about 225 times both."
    )


def test_a_guard_in_doubt_takes_a_narrower_interval():
    """From -3 to +3 at 95 %, so to -2.52 one-sided at 5 %; within 1.5 it is 1.68 times narrower: 2.9 times both."""
    assert takes("narrower guards", domains=[domain(-3, 3)]) == (
        "To show knowledge as a whole within the margin takes up to 2.9 times the seeds and the items."
    )
    guard = delta("mmlu", "guard", "not within margin", -6, 6, margin=1.5)
    assert "knowledge as a whole and mmlu" not in takes("narrower guards", [guard], [domain(-3, 3)])
    assert takes("narrower guards", [guard], [domain(-3, 3)]).startswith("To show mmlu and knowledge as a whole")
    assert "11.3 times" in takes("narrower guards", [guard], [domain(-3, 3)])


def test_what_fell_by_more_than_its_margin_is_not_mended_by_size():
    said = takes("narrower guards", domains=[domain(-5, 1)])
    assert said == "No larger study would clear knowledge as a whole: as found, the fall is more than the margin."


def test_an_alarm_asks_for_items_of_its_benchmark():
    said = takes("narrower guards", [delta("gpqa", "alarm", "alarm", -9, -1)])
    assert said == "More items of gpqa would tell whether its fall is chance."


def test_items_are_asked_for_only_where_there_are_any():
    """Seeds or items would do, and all 1,319 items were scored."""
    seen = delta(error=1.0).model_copy(update={"item_sd": 20.0, "training_noise": 0.5})
    assert "times the items. The" in takes("power", [seen])
    assert "cost less, if 20 % of the cost is evaluation" in takes("power", [seen])
    whole = takes("power", [seen], most={"math": 1319})
    assert "seeds in place of 3" in whole and "items" not in whole and "cost less" not in whole
    assert "times the items" in takes("power", [seen], most={"math": 100_000})


def test_where_no_seeds_do_and_no_items_are_left_a_larger_benchmark_is_asked_for():
    wide = delta(error=10.0).model_copy(update={"item_sd": 100.0, "training_noise": 40.0, "n_items": 60})
    said = takes("power", [wide], most={"math": 60})
    assert "too few items of math: a larger benchmark would have to decide too" in said and "times both" not in said


def test_a_whole_guard_is_not_asked_for_more_items():
    guard = delta("mmlu", "guard", "not within margin", -6, 6, margin=1.5)
    said = takes("narrower guards", [guard], [domain(-3, 3)], most={"mmlu": 1319})
    assert "takes intervals 3.4 times narrower, and there are not so many items of mmlu: more seeds narrow" in said
    said = takes("narrower guards", [delta("gpqa", "alarm", "alarm", -9, -1)], most={"gpqa": 1319})
    assert said == "There are no more items of gpqa: more seeds can only tell whether training luck made its fall."


def test_a_comparison_knows_how_many_items_there_are(build, facts):
    """400 items of 400: more of them are no way to see a gain of two points."""
    tables, effect = build({"math-a": {"control": 0.4, "x": 0.41}}), CONFIG.model_copy(update={"effect": 2.0})
    whole = [fact.model_copy(update={"most_items": 400}) for fact in facts]
    assert "times the items" in compare_tables(tables, facts, "control", effect).candidates[0].more
    assert "times the items" not in compare_tables(tables, whole, "control", effect).candidates[0].more


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ("seeds", "more seeds"),
        ("company", "a third seed"),
        ("agreement", "graders"),
        ("clean items", "rows that match"),
    ],
)
def test_the_other_wants_have_their_sentence(lacking, words):
    assert words in takes(lacking)

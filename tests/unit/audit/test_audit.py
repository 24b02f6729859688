"""Tables that were made with known faults: they are found, and sound tables are left alone."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.audit.audit import audit
from tasks.audit.config import Known
from tasks.audit.defects import is_whole, nearest_whole
from tasks.audit.groups import baseline
from tasks.audit.noise import beyond_chance, z_scores
from tasks.audit.printed import Printed, Row

ITEMS = {"a": 1319, "b": 5000, "c": 198, "d": 257, "e": 164}
KNOWN = {name: Known(items=items, math=name in "ab", whole=True) for name, items in ITEMS.items()}


def percent(right, items):
    return round(10_000 * right / items)


def table(groups, seed=0):
    """A sound table in hundredths: groups of datasets, each measured from its group's right answers."""
    rng, rows = random.Random(seed), []
    for number, datasets in enumerate(groups):
        base = {name: rng.randrange(items // 4, items // 2) for name, items in ITEMS.items()}
        for dataset in range(datasets):
            for name, items in ITEMS.items():
                score = percent(base[name] + rng.randrange(-20, 20), items)
                rows.append(
                    Row(f"{number}-{dataset}", name, score, score - percent(base[name], items), f"t.csv:{len(rows)}")
                )
    return rows


def changed(rows, dataset, benchmark, **changes):
    return [row._replace(**changes) if (row.dataset, row.benchmark) == (dataset, benchmark) else row for row in rows]


def audited(rows, known=KNOWN):
    return audit(Printed(tuple(rows), 0, 100), known)


def of(rows, dataset, benchmark):
    return next(row for row in rows if (row.dataset, row.benchmark) == (dataset, benchmark))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_sound_table_has_its_groups_and_no_fault(seed):
    rows = table((3, 2, 1), seed)
    random.Random(seed).shuffle(rows)
    found = audited(rows)
    assert sorted(sorted(group.datasets) for group in found.groups) == [["0-0", "0-1", "0-2"], ["1-0", "1-1"], ["2-0"]]
    assert found.defects == ()


def coarse(rows, columns):
    """The same table, with the columns that are named, by dataset and benchmark, printed to one place.

    Their deltas are taken before they are rounded, so they need not be the difference of two printed numbers.
    """
    return [tenths(row) if (row.dataset, row.benchmark) in columns else row for row in rows]


def tenths(row):
    items = ITEMS[row.benchmark]
    right, before = (round(share * items / 10_000) for share in (row.score, row.baseline.units))
    score, delta = (10 * round(1000 * number / items) for number in (right, right - before))
    return row._replace(score=score, delta=delta, step=10)


COLUMNS = st.sets(st.tuples(st.sampled_from(["0-0", "0-1", "0-2", "0-3"]), st.sampled_from(list(ITEMS))))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), COLUMNS)
def test_columns_of_fewer_places_among_others_are_no_fault(seed, columns):
    found = audited(coarse(table((4,), seed), columns))
    assert [len(group.datasets) for group in found.groups] == [4]
    assert found.defects == ()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), COLUMNS, st.sampled_from(list(ITEMS)))
def test_a_wrong_delta_is_found_among_columns_of_fewer_places(seed, columns, benchmark):
    rows = coarse(table((4,), seed), columns)
    row = of(rows, "0-1", benchmark)
    found = audited(changed(rows, "0-1", benchmark, delta=row.delta + 30 * row.step))
    assert ["0-1"] in [list(one.datasets) for one in found.defects if one.benchmark == benchmark]


def implying(*baselines):
    """Rows on one benchmark that imply these baselines, each in units and with the step of its last place."""
    return [Row(f"0-{k}", "a", units + 100, 100, f"t.csv:{k}", step) for k, (units, step) in enumerate(baselines)]


DISPUTED = [(4930, 10)] * 3 + [(4938, 1), (4922, 1)]


@pytest.mark.parametrize("given", [DISPUTED, DISPUTED[::-1], [*DISPUTED[:3], DISPUTED[4], DISPUTED[3]]])
def test_the_order_of_a_file_blames_nobody(given):
    """49.38 and 49.22 disagree with one another, and either is 49.3 but for rounding."""
    rows = implying(*given)
    assert baseline(rows) == (4930, 10)
    assert [one for one in audited(rows).defects if one.fault == "contradiction"] == []


@given(st.permutations([(4930, 10), (4938, 1), (4939, 1), (4940, 1)]))
def test_the_finest_that_the_others_are_near_to_is_the_baseline(given):
    assert baseline(implying(*given)) == (4939, 1)


PRINTED = st.lists(st.tuples(st.integers(480, 520), st.sampled_from([1, 10])), min_size=1, max_size=6)


@given(PRINTED.flatmap(lambda given: st.tuples(st.just(given), st.permutations(given))))
def test_a_baseline_does_not_turn_on_the_order_of_the_rows(orders):
    first, second = (baseline(implying(*((step * (units // step), step) for units, step in given))) for given in orders)
    assert first == second


def test_mends_are_printed_to_the_places_of_their_column():
    rows = coarse(table((4,)), {("0-1", "a")})
    row = of(rows, "0-1", "a")
    [one] = audited(changed(rows, "0-1", "a", delta=row.delta + 300)).defects
    assert one.mends[0] == f"delta {row.delta / 100:+.1f}"
    assert one.said.startswith(f"{row.score / 100:.1f} − (")


def test_one_unit_of_rounding_is_no_fault():
    rows = table((3,))
    row = of(rows, "0-1", "a")
    found = audited(changed(rows, "0-1", "a", delta=row.delta + 1))
    assert len(found.groups) == 1 and found.defects == ()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(list(ITEMS)))
def test_a_turned_sign_is_found_and_mended(seed, benchmark):
    rows = table((3,), seed)
    row = of(rows, "0-1", benchmark)
    if abs(row.delta) > 1:
        [one] = audited(changed(rows, "0-1", benchmark, delta=-row.delta)).defects
        assert (one.fault, one.datasets, one.mends) == ("sign", ("0-1",), (f"delta {row.delta / 100:+.2f}",))


def test_a_turned_sign_is_found_between_two_datasets_alone():
    rows = table((2,))
    row = of(rows, "0-1", "b")
    [one] = audited(changed(rows, "0-1", "b", delta=-row.delta)).defects
    assert (one.fault, one.datasets) == ("sign", ("0-1",))


def test_two_datasets_alone_dispute_a_delta_and_both_ways_are_offered():
    rows = table((2,))
    row = of(rows, "0-1", "b")
    [one] = audited(changed(rows, "0-1", "b", delta=row.delta + 30)).defects
    assert (one.fault, one.datasets) == ("dispute", ("0-0", "0-1"))
    assert any(f"0-1: delta {row.delta / 100:+.2f}" in mend for mend in one.mends)
    assert any(mend.startswith("0-0: ") for mend in one.mends)


def test_a_wrong_delta_is_mended_by_the_score_only_where_that_could_be_printed():
    rows = table((3,))
    row = of(rows, "0-2", "c")
    [one] = audited(changed(rows, "0-2", "c", delta=row.delta + 17)).defects
    assert (one.fault, one.mends) == ("contradiction", (f"delta {row.delta / 100:+.2f}",))
    [other] = audited(changed(rows, "0-2", "c", delta=row.delta + 17), known={}).defects
    assert len(other.mends) == 2


def test_a_score_that_no_number_of_answers_gives_is_found():
    rows = table((3,))
    row = of(rows, "0-0", "d")
    [one] = audited(changed(rows, "0-0", "d", score=row.score + 13, delta=row.delta + 13)).defects
    assert (one.fault, one.mends) == (
        "no whole number",
        (f"score {row.score / 100:.2f} and delta {row.delta / 100:+.2f}",),
    )


def test_a_baseline_that_no_number_of_answers_gives_is_found_in_a_dataset_alone():
    rows = table((1,))
    row = of(rows, "0-0", "c")
    [one] = audited(changed(rows, "0-0", "c", delta=row.delta + 20)).defects
    assert (one.fault, one.mends) == ("no whole number", ())
    assert "score minus delta" in one.said


def test_no_mend_is_a_score_below_nothing_or_above_everything():
    rows = [Row(f"0-{k}", name, 200, 100, f"t.csv:{k}{name}") for k in range(3) for name in ITEMS]
    [one] = audited(changed(rows, "0-2", "b", delta=-400), known={}).defects
    assert (one.fault, one.mends) == ("contradiction", ("delta +1.00",))
    [below] = audited([Row("0-0", "b", 200, 1000, "t.csv:2")]).defects
    assert (below.fault, below.said) == (
        "no whole number", "score minus delta, -8.00, is no number of right answers out of 5,000",
    )  # fmt: skip


def test_datasets_that_agree_by_chance_on_a_benchmark_are_no_group():
    rows = table((1, 1))
    base = of(rows, "0-0", "b").baseline.units
    row = of(rows, "1-0", "b")
    assert len(audited(changed(rows, "1-0", "b", delta=row.score - base)).groups) == 2


def test_benchmarks_that_nobody_knows_are_named_and_not_tested():
    found = audited(table((2,)), known={name: KNOWN[name] for name in "ab"})
    assert found.unknown == ("c", "d", "e")
    assert {one.benchmark for one in found.chances} == {"a", "b"}


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_every_number_of_answers_is_whole_however_it_is_rounded(pair):
    right, items = pair
    exact = 10_000 * right / items
    assert is_whole(int(np.floor(exact + 0.5)), items, 100)
    assert is_whole(int(np.ceil(exact - 0.5)), items, 100)
    assert is_whole(nearest_whole(round(exact), items, 100), items, 100)


@pytest.mark.parametrize(("score", "items", "whole"), [(5446, 257, False), (5447, 257, True), (8355, 1319, True),
                                                       (8265, 1319, False), (4977, 5000, False)])  # fmt: skip
def test_scores_that_are_known_to_be_and_not_to_be_numbers_of_answers(score, items, whole):
    assert is_whole(score, items, 100) is whole


def test_z_is_that_of_two_proportions():
    """(.4968 - .4776) / sqrt((.4968 .5032 + .4776 .5224)/5000), by hand; at correlation 1 - e the error falls to 0."""
    score, delta, items = np.asarray([0.4968]), np.asarray([0.0192]), np.asarray([5000])
    assert z_scores(score, delta, items, 0.0)[0] == pytest.approx(1.9212, abs=2e-3)
    assert z_scores(score, delta, items, 0.75)[0] == pytest.approx(2 * 1.9212, abs=4e-3)
    assert z_scores(score, np.zeros(1), items, 0.8)[0] == 0
    assert np.isinf(z_scores(np.ones(1), np.ones(1), items, 0.0)[0])


def test_holm_stops_at_the_first_that_fails():
    assert beyond_chance(np.asarray([2.3, 5.0, 2.1, 1.0])).tolist() == [False, True, False, False]
    assert beyond_chance(np.asarray([2.6, 5.0, 2.3, 1.97])).tolist() == [True, True, True, True]

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.judge.review import draw, quality


def rows(right, wrong, undecided):
    counts = {"right": right, "wrong": wrong, "undecided": undecided}
    return [{"row_id": f"{v}{n}", "sample": 0, "verdict": v} for v, count in counts.items() for n in range(count)]


def label(drawn, truth):
    """Label every drawn row: right where `truth` says so."""
    return {(row["row_id"], row["sample"]): truth(row) for row in drawn.rows}


def test_a_sample_is_drawn_from_each_verdict_whatever_the_order():
    table = rows(1000, 30, 5)
    drawn = draw(table, 20, seed=1)
    assert drawn.sizes == {"right": 1000, "wrong": 30, "undecided": 5}
    assert [sum(row["verdict"] == v for row in drawn.rows) for v in ("right", "wrong", "undecided")] == [20, 20, 5]
    assert draw(random.Random(0).sample(table, len(table)), 20, seed=1) == drawn
    assert draw(table, 20, seed=2) != drawn


def test_recall_is_weighted_by_what_was_not_looked_at():
    drawn = draw(rows(100, 900, 0), 50, seed=0)
    wrongly_rejected = {row["row_id"] for row in [r for r in drawn.rows if r["verdict"] == "wrong"][:5]}
    found = quality(drawn, label(drawn, lambda row: row["verdict"] == "right" or row["row_id"] in wrongly_rejected))
    assert found.precision.estimate == 1
    assert found.recall.estimate == pytest.approx(100 / (100 + 900 * 5 / 50))
    assert found.recall.low < found.recall.estimate < found.recall.high


def test_a_filter_that_was_labelled_whole_is_known():
    drawn = draw(rows(8, 3, 2), 50, seed=0)
    found = quality(
        drawn, label(drawn, lambda row: row["row_id"] in {f"right{n}" for n in range(6)} | {"wrong0", "wrong1"})
    )
    assert (found.precision.estimate, found.precision.low, found.precision.high) == (0.75, 0.75, 0.75)
    assert (found.recall.estimate, found.recall.low, found.recall.high) == (0.75, 0.75, 0.75)


def test_nothing_is_known_without_labels():
    found = quality(draw(rows(5, 5, 0), 5, seed=0), {})
    assert found.precision.estimate is None and found.recall.estimate is None
    assert (found.recall.low, found.recall.high) == (0, 1)


def test_labels_of_other_rows_are_not_counted():
    drawn = draw(rows(100, 0, 0), 10, seed=0)
    assert quality(drawn, {("right-not-drawn", 0): True}).strata["right"].labelled == 0


def test_the_exact_interval_of_precision():
    """Clopper and Pearson's interval of 190 of 200, from tables."""
    drawn = draw(rows(1000, 0, 0), 200, seed=0)
    good = {row["row_id"] for row in drawn.rows[:190]}
    found = quality(drawn, label(drawn, lambda row: row["row_id"] in good)).precision
    assert (round(found.low, 4), round(found.high, 4)) == (0.9100, 0.9758)


@settings(deadline=None)
@given(
    st.integers(1, 60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 20), st.randoms(use_true_random=False)
)
def test_every_interval_holds_its_estimate(right, wrong, undecided, size, rng):
    drawn = draw(rows(right, wrong, undecided), size, seed=0)
    found = quality(drawn, label(drawn, lambda _: rng.random() < 0.5))
    for share in (found.precision, found.recall):
        assert 0 <= share.low <= share.high <= 1
        assert share.estimate is None or share.low - 1e-12 <= share.estimate <= share.high + 1e-12


def test_the_interval_of_recall_covers_the_truth():
    """Of 200 studies with known truth, at least 95 % have it within their interval."""
    rng, covered = random.Random(0), 0
    for study in range(200):
        table = rows(200, 300, 100)
        truth = {
            row["row_id"]: rng.random() < {"right": 0.9, "wrong": 0.05, "undecided": 0.3}[row["verdict"]]
            for row in table
        }
        hits = sum(truth[row["row_id"]] for row in table if row["verdict"] == "right")
        drawn = draw(table, 40, seed=study)
        found = quality(drawn, label(drawn, lambda row, truth=truth: truth[row["row_id"]])).recall
        covered += found.low <= hits / sum(truth.values()) <= found.high
    assert covered >= 190

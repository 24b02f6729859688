from __future__ import annotations

import pytest

from tasks.core.errors import IntegrityError
from tasks.core.rows import SCORES
from tasks.evaluate.normalise import accuracy, normalise, outcomes

SHAPES = {
    "plain": [{"pred": "5", "answer": "5", "correct": True}, {"pred": "5", "answer": "6", "correct": False}],
    "lists of one": [{"correct": [True]}, {"correct": [False]}],
    "is_correct": [{"is_correct": [True]}, {"is_correct": [False]}],
    "numbers": [{"correct": 1.0}, {"correct": 0.0}],
    "by position, with a type": {"type": "GEN", "0": {"correct": True}, "1": {"correct": False}},
    "predictions and references": {
        "type": "GEN",
        "0": {"predictions": "7", "references": "7"},
        "1": {"predictions": "7", "references": "8"},
    },
    "circular": {
        "type": "PPL",
        "0": {"predictions": "B", "references": "0--B--BCDA", "correct": False},
        "1": {"predictions": "B", "references": "0--A--CDAB", "correct": False},
    },
}


@pytest.mark.parametrize("details", SHAPES.values(), ids=SHAPES)
def test_every_shape_of_details_says_which_items_are_right(details):
    assert outcomes(details) == [1.0, 0.0]


@pytest.mark.parametrize("details", [None, "88.5", [{"pred": "5"}], {"type": "GEN", "1": {"correct": True}}, [None]])
def test_details_without_a_score_are_an_error(details):
    with pytest.raises(IntegrityError):
        outcomes(details)


def test_rows_have_the_columns_of_scores_and_an_item_alone_is_its_own_cluster(make):
    rows = normalise(make.raw(), make.suite())
    assert [set(r) for r in rows] == [set(SCORES)] * 3
    assert [r["correct"] for r in rows] == [1.0, 0.0, 1.0]
    assert all(r["cluster"] == r["item"] for r in rows)
    assert accuracy(rows) == pytest.approx(200 / 3)


def _short(make):
    return make.subset(rows=(make.row(0), make.row(1)))


def _unscored(make):
    return make.subset(details=[{"correct": True}] * 2, metrics={"accuracy": 100.0})


def _doubled(make):
    return make.subset(rows=(make.row(0), make.row(1), make.row(1)))


def _other_mean(make):
    return make.subset(metrics={"accuracy": 99.0})


def _no_mean(make):
    return make.subset(metrics={})


@pytest.mark.parametrize("broken", [_short, _unscored, _doubled, _other_mean, _no_mean])
def test_a_partial_or_contradictory_result_is_an_error_never_a_number(make, broken):
    with pytest.raises(IntegrityError, match="mine"):
        normalise(make.raw(broken(make)), make.suite())


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "other"},
        {"abbrs": ("mine", "second")},
        {"abbrs": ("second",)},
        {"items": (4,)},
        {"limit": 2},
    ],
)
def test_a_result_of_something_else_is_an_error(make, asked):
    with pytest.raises(IntegrityError):
        normalise(make.raw(), make.suite(**asked))


def test_four_circular_variants_are_one_item_right_only_if_all_are(make):
    answers = ["A", "B", "C", "D", "A", "B", "C", "A"]
    golds = "ABCD" * 2
    made = make.subset(
        8,
        correct=[True],
        rows=tuple(
            make.row(i, cluster=f"s/{i // 4}", prediction=a, gold=g)
            for i, (a, g) in enumerate(zip(answers, golds, strict=True))
        ),
        details={
            str(i): {"predictions": a, "references": f"{i // 4}--{g}--ABCD"}
            for i, (a, g) in enumerate(zip(answers, golds, strict=True))
        },
        metrics={"acc_4": 87.5, "perf_4": 50.0},
    )
    rows = normalise(make.raw(made), make.suite(cluster="question", items=(2,)))
    assert [r["correct"] for r in rows] == [1.0, 0.0]
    assert [r["bits"] for r in rows] == [10.0, 10.0]
    assert rows[1]["prediction"] == "A | B | C | A"


def test_a_question_without_all_its_variants_is_an_error(make):
    made = make.subset(3, rows=tuple(make.row(i, cluster="s/0") for i in range(3)))
    with pytest.raises(IntegrityError, match="3 of its 4 variants"):
        normalise(make.raw(made), make.suite(cluster="question"))

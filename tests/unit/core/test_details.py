import pytest

from tasks.core.details import circular_question, headline, outcome, outcomes
from tasks.core.errors import IntegrityError


@pytest.mark.parametrize(
    ("detail", "score"),
    [
        ({"correct": [True, False, False, True]}, 0.5),
        ({"is_correct": [True]}, 1.0),
        ({"cascade_correct": [False]}, 0.0),
        ({"correct": 0.25}, 0.25),
        ({"predictions": ["B"], "references": ["3--B--BCDA"], "correct": [False]}, 1.0),
        ({"predictions": ["7"], "references": ["8"]}, 0.0),
    ],
)
def test_an_item_says_its_score_in_many_ways_and_several_runs_are_averaged(detail, score):
    assert outcome(detail) == score


@pytest.mark.parametrize("detail", [{}, {"correct": "yes"}, {"correct": []}, {"correct": [True, None]}, "right"])
def test_an_item_that_says_nothing_is_an_error(detail):
    with pytest.raises(IntegrityError):
        outcome(detail)


@pytest.mark.parametrize("details", [None, 88.5, {"0": {"correct": True}, "2": {"correct": True}}])
def test_details_that_are_none_or_have_gaps_are_an_error(details):
    with pytest.raises(IntegrityError):
        outcomes(details)


def test_the_headline_is_the_mean_over_items_before_any_other_number():
    assert headline({"acc_4": 87.5, "accuracy": 70.0, "perf_4": 50.0}) == 50.0
    assert headline({"pass": 3, "timeout": 1, "score": 75.0}) == 75.0
    assert headline({"rouge1": 12.0}) is None


@pytest.mark.parametrize(("reference", "found"), [("3--B--BCDA", ("3", "B")), ("B", None), (7, None), (["a"], None)])
def test_circular_variants_say_their_question_and_letter(reference, found):
    assert circular_question(reference) == found

"""Recall, and searching deeper until it is enough."""

import numpy as np
import pytest

from tasks.core.errors import EngineError
from tasks.retrieve.engine import Neighbours
from tasks.retrieve.recall import Depth, deepen, doubled, recall

TRUTH = Neighbours(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), np.array([[0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, 0.2]]))


def found(rows, scores):
    return Neighbours(np.array(rows), np.array(scores))


@pytest.mark.parametrize(
    ("neighbours", "share"),
    [
        (TRUTH, 1.0),
        (found([[1, 2, 9, 10], [5, 6, 7, -1]], [[0.9, 0.8, 0.5, 0.1], [0.5, 0.4, 0.3, 0.3]]), 5 / 8),
        (found([[1, 2, 3, 11], [5, 6, 7, 12]], [[0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, 0.2 - 1e-7]]), 1.0),
        (found(np.full((2, 4), -1), np.full((2, 4), -np.inf)), 0.0),
    ],
)
def test_recall_is_the_share_of_true_neighbours_or_their_equals(neighbours, share):
    assert recall(neighbours, TRUTH) == share


def test_where_fewer_than_k_rows_exist_all_of_them_are_all():
    few = found([[2, 1, -1]], [[0.9, 0.8, -np.inf]])
    assert recall(few, few) == 1.0


def test_depths_double_up_to_the_deepest():
    assert list(doubled(3, 20)) == [3, 6, 12, 20]
    assert list(doubled(16, 4)) == [4]


def only_first(depth):
    """An index that finds as many of the true neighbours as it looks deep."""
    return Neighbours(np.where(np.arange(4) < depth, TRUTH.rows, -1), TRUTH.scores)


def test_it_stops_at_the_first_depth_that_is_enough():
    assert deepen(only_first, TRUTH, doubled(1, 16), 0.5) == Depth(2, 0.5)
    assert deepen(only_first, TRUTH, doubled(1, 16), 0.95) == Depth(4, 1.0)


def test_an_index_that_never_finds_enough_is_an_error():
    with pytest.raises(EngineError, match=r"75\.0 % of the true neighbours at its deepest(.|\n)*flat_rows"):
        deepen(only_first, TRUTH, doubled(1, 3), 0.95)

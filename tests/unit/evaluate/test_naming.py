from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate.engine import CustomSuite, Suite
from tasks.evaluate.naming import cluster_name, gold_answer, item_name
from tasks.evaluate.requests import Ending, request_id

CUSTOM = CustomSuite(rows="", examples="", few_shot=0, labels=(), prompt="{question}", extract="number", pattern="")


def test_an_items_name_follows_what_it_says_and_not_its_bookkeeping():
    row = {"question": "1+1?", "answer": "2"}
    assert item_name("gsm8k", 3, row) == item_name("gsm8k", 3, {"answer": "2", "question": "1+1?", "idx": 9})
    assert item_name("gsm8k", 3, row).startswith("gsm8k/3-")
    assert item_name("gsm8k", 3, row) != item_name("gsm8k", 3, {**row, "answer": "3"})


@pytest.mark.parametrize(
    ("changes", "row", "chosen", "gold"),
    [
        ({"gold": "solution"}, {"solution": "x = 2"}, "", "x = 2"),
        ({"gold": ""}, {"target": "B"}, "target", "B"),
        ({"gold": ""}, {"target": "B"}, "", ""),
        ({"gold": "answers", "cluster": "passage"}, {"answers": "Tom|Tom Brady"}, "", "Tom"),
        ({"gold": "answer", "cluster": "question"}, {"answer": "3--B--BCDA"}, "", "B"),
        ({"gold": "answer", "cluster": "question"}, {"answer": "3--B--BCDA"}, "answer", "B"),
        ({"custom": CUSTOM}, {"answer": "5"}, "", "5"),
    ],
)
def test_the_gold_answer_is_what_the_model_would_write(changes, row, chosen, gold):
    assert gold_answer(Suite(name="b", **changes), row, chosen) == gold


@pytest.mark.parametrize(
    ("cluster", "row", "name"),
    [
        ("item", {}, ""),
        ("subset", {}, "s"),
        ("question", {"answer": "3--B--BCDA"}, "s/3"),
        ("question", {"answer": "17"}, ""),
        ("column", {"cluster": "story"}, "story"),
    ],
)
def test_items_that_hang_together_share_a_cluster(cluster, row, name):
    assert cluster_name(Suite(name="b", cluster=cluster), "s", row) == name


def test_questions_of_one_passage_share_a_cluster():
    suite = Suite(name="drop", cluster="passage")
    names = {cluster_name(suite, "drop", {"prompt": f"Passage: A\nQuestion: {n}?"}) for n in range(3)}
    assert len(names) == 1
    assert names != {cluster_name(suite, "drop", {"prompt": "Passage: B\nQuestion: 1?"})}


_ENDINGS = st.none() | st.builds(Ending, st.integers(1, 9), st.lists(st.text(max_size=2), max_size=2).map(tuple))


@given(st.tuples(st.text(max_size=3), _ENDINGS), st.tuples(st.text(max_size=3), _ENDINGS))
def test_requests_are_the_same_where_text_and_ending_are(one, other):
    assert (request_id(*one) == request_id(*other)) == (one == other)

"""70 pairs of problems that a person labelled as the same or not, with what the stage cannot see marked as known."""

import json
from pathlib import Path

import pytest

from tasks.dedup.config import FOR_QUESTIONS
from tasks.dedup.sets import shingles

PAIRS = [json.loads(line) for line in Path(__file__).with_name("labelled.jsonl").read_text("utf-8").splitlines()]


def same(pair):
    one, other = (set(shingles(pair[side], FOR_QUESTIONS).tolist()) for side in "ab")
    return len(one & other) / len(one | other) >= FOR_QUESTIONS.threshold


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["why"].replace(" ", "-"))
def test_the_label_holds_unless_it_is_a_known_limit(pair):
    assert same(pair) == (pair["same"] if "known" not in pair else not pair["same"])


def test_there_are_enough_of_both():
    labels = [pair["same"] for pair in PAIRS]
    assert len(PAIRS) >= 50
    assert labels.count(True) >= 20 <= labels.count(False)

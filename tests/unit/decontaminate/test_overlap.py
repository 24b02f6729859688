"""What a row shares with an item: its share and the longest span."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.decontaminate.config import DecontaminateConfig
from tasks.decontaminate.index import build_index
from tasks.decontaminate.overlap import Matcher

ITEM = "one two three four five six seven eight nine ten eleven twelve"
CONFIG = DecontaminateConfig(n=4)


def test_the_ratio_is_of_the_items_ngrams_and_the_span_the_longest(ratios):
    row = "well one two three four five and then eight nine ten eleven twelve done"
    found = ratios({"i": ITEM}, row, CONFIG)["i"]
    assert found.ratio == pytest.approx((2 + 2) / 9)
    assert found.span in ("one two three four five", "eight nine ten eleven twelve")
    assert ratios({"i": ITEM}, row.replace("nine ", ""), CONFIG)["i"].span == "one two three four five"


def test_repeating_an_item_does_not_add_to_it(ratios):
    assert ratios({"i": ITEM}, f"{ITEM} {ITEM}", CONFIG)["i"].ratio == 1
    assert ratios({"i": ITEM}, "one two three four " * 9, CONFIG)["i"].ratio == pytest.approx(1 / 9)


def test_the_text_of_an_item_that_is_shared_most_counts(ratios):
    rows = [("b", "i", ITEM), ("b", "i", "a long worked solution of the problem"), ("b", "j", ITEM[4:])]
    found = ratios(rows, "here is a long worked solution of the problem", CONFIG)
    assert set(found) == {"i"}
    assert found["i"].ratio == 1


def test_overlaps_come_highest_first():
    index = build_index([("b", "part", ITEM), ("b", "whole", " ".join(ITEM.split()[:6]))], CONFIG)
    found = Matcher(index).overlaps("one two three four five six", 0.01)
    assert [index.items[overlap.item].item for overlap in found] == ["whole", "part"]


@pytest.mark.parametrize("row", ["", "one", "one two three", "!?", "x" * 5000])
def test_rows_shorter_than_an_ngram_share_nothing(ratios, row):
    assert ratios({"i": ITEM}, row, CONFIG) == {}


@given(st.lists(st.sampled_from("abcd"), min_size=5, max_size=12), st.lists(st.sampled_from("abcde"), max_size=20))
def test_ratios_are_those_of_plain_sets(item, row):
    index = build_index([("b", "i", " ".join(item))], CONFIG)
    found = Matcher(index).overlaps(" ".join(row), 0.01)
    grams, held = ({tuple(words[at : at + 4]) for at in range(len(words) - 3)} for words in (item, row))
    expected = len(grams & held) / len(grams)
    assert [overlap.ratio for overlap in found] == ([pytest.approx(expected)] if expected else [])
    assert all(overlap.span in " ".join(row) for overlap in found)

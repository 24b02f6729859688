"""Which n-grams count for which item."""

from tasks.decontaminate.config import DecontaminateConfig
from tasks.decontaminate.index import build_index

CONFIG = DecontaminateConfig(n=3, min_words=2, boilerplate=0.2)
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def items(count, template="solve the following problem about {}s", benchmark="b"):
    return [(benchmark, str(number), template.format(NUMBERS[number])) for number in range(count)]


def test_what_many_items_share_counts_for_none_and_is_listed():
    index = build_index([*items(10), ("b", "other", "nothing of the kind is here")], CONFIG)
    assert {(found.ngram, found.items) for found in index.boilerplate} == {
        ("solve the following", 10), ("the following problem", 10), ("following problem about", 10),
    }  # fmt: skip
    assert index.sizes.tolist() == [1] * 10 + [4]
    assert index.checked().all()


def test_an_item_of_nothing_but_boilerplate_cannot_be_checked():
    index = build_index([*items(10), ("b", "bare", "solve the following problem")], CONFIG)
    assert index.checked().tolist() == [True] * 10 + [False]


def test_four_items_are_no_template_and_a_large_benchmark_has_a_larger_limit():
    assert not build_index(items(4), CONFIG).boilerplate
    assert build_index(items(5), CONFIG).boilerplate
    others = [("b", f"other{number}", f"word{number} is here") for number in range(25)]
    assert not build_index([*items(5), *others], CONFIG).boilerplate


def test_benchmarks_are_templates_of_their_own():
    assert not build_index([*items(4), *items(4, benchmark="c")], CONFIG).boilerplate


def test_texts_of_one_item_count_as_one_item():
    rows = [("b", "0", f"solve the following {number}") for number in NUMBERS[:8]]
    index = build_index(rows, CONFIG)
    assert not index.boilerplate
    assert len(index.items) == 1
    assert index.sizes.tolist() == [2] * 8


def test_short_items_are_whole_and_shorter_ones_unchecked():
    index = build_index([("b", "two", "two words"), ("b", "one", "word"), ("b", "three", "a b c")], CONFIG)
    assert index.lengths == [2, 3]
    assert index.checked().tolist() == [True, False, True]


def test_no_items_are_an_empty_index():
    index = build_index([], CONFIG)
    assert (index.items, len(index.grams), index.lengths) == ([], 0, [])

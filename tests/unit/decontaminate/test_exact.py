from tasks.core.text import spelling
from tasks.decontaminate.exact import SharedItem, shared_items

ITEMS = [
    ("math", "1", r"Compute $\dfrac{1}{2}$ of $6$."),
    ("math_500", "9", "Compute 1/2 of 6"),
    ("math", "2", "Is 7 prime?"),
]


def test_every_item_that_is_a_question_is_named():
    questions = [("a", "compute ½ of 6!"), ("b", "Is 9 prime?"), ("c", "IS 7 PRIME")]
    assert shared_items(questions, ITEMS) == [
        SharedItem("a", "math", "1"), SharedItem("a", "math_500", "9"), SharedItem("c", "math", "2"),
    ]  # fmt: skip


def test_a_part_of_an_item_is_not_it():
    assert shared_items([("a", "Compute 1/2 of 6 and of 7."), ("b", "7 prime?")], ITEMS) == []


def test_words_are_told_apart():
    assert spelling("a b") != spelling("ab")
    assert spelling("...") != spelling("?")

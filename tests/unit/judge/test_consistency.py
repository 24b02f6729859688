from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.judge.config import JudgeConfig
from tasks.judge.consistency import Answer, agree, judge_answers_of_a_row
from tasks.judge.engine import Finding
from tasks.judge.extract import Extraction
from tasks.judge.references import Gold

FIVE = Gold("5", "word", "")
NO_REFERENCE = Gold(None, "none", "no reference")


def compare(gold, answer):
    return Finding("right" if gold == answer else "wrong", "exact", f"{answer} for {gold}")


def answers(*texts):
    missing = Extraction(None, "truncated", "cut")
    return [Answer(n, Extraction(text, "boxed", "") if text else missing) for n, text in enumerate(texts)]


def verdicts(gold, texts, **config):
    judged, _ = judge_answers_of_a_row(gold, answers(*texts), JudgeConfig(**config), compare)
    return [(one.finding.verdict, one.finding.method) for one in judged]


def test_by_reference_each_answer_stands_alone():
    found = verdicts(FIVE, ["5", "6", None])
    assert found == [("right", "exact"), ("wrong", "exact"), ("undecided", "truncated")]


def test_a_reference_that_rules_cannot_use_leaves_everything_open():
    assert verdicts(Gold(None, "long", "proof"), ["5"]) == [("undecided", "proof")]
    assert verdicts(NO_REFERENCE, ["5"]) == [("undecided", "no reference")]


def test_by_majority_three_of_four_are_enough():
    found = verdicts(NO_REFERENCE, ["7", "7", "8", "7"], mode="self")
    assert [verdict for verdict, _ in found] == ["right", "right", "wrong", "right"]


def test_a_cut_answer_counts_against_the_majority():
    assert verdicts(NO_REFERENCE, ["7", "7", None, None], mode="self")[0] == ("undecided", "no majority")


def test_without_the_filter_every_whole_answer_is_right():
    found = verdicts(FIVE, ["5", "6", None], mode="none")
    assert found == [("right", "unfiltered"), ("right", "unfiltered"), ("undecided", "truncated")]


def test_ties_are_dropped_or_won_by_the_first():
    texts, half = ["8", "7", "7", "8"], {"mode": "self", "threshold": 0.5}
    assert {method for _, method in verdicts(NO_REFERENCE, texts, **half)} == {"tie"}
    first = verdicts(NO_REFERENCE, texts, **half, tie="first")
    assert [verdict for verdict, _ in first] == ["right", "wrong", "wrong", "right"]


def test_too_few_answers_are_no_majority():
    assert verdicts(NO_REFERENCE, ["7", None], mode="self", threshold=0.1)[0] == ("undecided", "too few answers")


def test_both_needs_the_majority_and_the_reference():
    assert [v for v, _ in verdicts(FIVE, ["5", "5", "5", "6"], mode="both")] == ["right", "right", "right", "wrong"]
    assert [v for v, _ in verdicts(FIVE, ["6", "6", "6", "5"], mode="both")] == ["wrong", "wrong", "wrong", "wrong"]
    assert verdicts(FIVE, ["5", "5", "6", "6"], mode="both")[0] == ("undecided", "tie")


def test_both_goes_by_the_majority_where_there_is_no_reference():
    assert [v for v, _ in verdicts(NO_REFERENCE, ["7", "7", "7", "8"], mode="both")] == [
        "right",
        "right",
        "right",
        "wrong",
    ]


def test_the_evidence_says_where_the_answer_was_and_how_many_agree():
    judged, _ = judge_answers_of_a_row(FIVE, answers("5", "5"), JudgeConfig(mode="both"), compare)
    assert judged[0].finding.evidence == "boxed; 5 for 5; the largest class of equal answers has 2 of 2"
    assert judged[0].gold == "5"


@settings(deadline=None)
@given(st.lists(st.sampled_from(["1", "2", "3", None]), min_size=1, max_size=8), st.floats(0.51, 1))
def test_a_majority_is_the_same_in_any_order_and_holds_its_threshold(texts, threshold):
    config = JudgeConfig(mode="self", threshold=threshold, k=1)
    found = agree(answers(*texts), config, compare, len(texts))
    assert found.answer == agree(answers(*reversed(texts)), config, compare, len(texts)).answer
    assert (found.answer is None) == bool(found.reason)
    if found.answer is not None:
        assert texts.count(found.answer) == len(found.members) >= threshold * len(texts)


def test_answers_that_never_came_count_against_a_majority():
    config = JudgeConfig(mode="self", threshold=0.75, k=2)
    assert agree(answers("5", "5"), config, compare, 2).answer == "5"
    found = agree(answers("5", "5"), config, compare, 4)
    assert (found.answer, found.share, found.reason) == (None, 0.5, "no majority")

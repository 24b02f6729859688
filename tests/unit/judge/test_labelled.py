"""The hand-labelled outputs, as far as spelling settles them; Math-Verify settles the rest in tests/flows."""

from tasks.judge.config import JudgeConfig
from tasks.judge.consistency import Answer, judge_answers_of_a_row
from tasks.judge.equivalence import Equivalence
from tasks.judge.extract import extract
from tasks.judge.references import gold_answer


def test_what_spelling_settles_is_settled_as_labelled(labelled, engine):
    left = 0
    for row in labelled:
        compare = Equivalence(engine).compare
        gold = gold_answer(row["question"], row["gold"])
        judged, _ = judge_answers_of_a_row(gold, [Answer(0, extract(row["output"]))], JudgeConfig(), compare)
        if judged[0].finding.method == "scripted":
            left += 1
        else:
            assert judged[0].finding.verdict == row["verdict"], row["trap"]
    assert left < len(labelled) / 3


def test_the_labels_are_enough_and_none_asks_for_a_wrong_verdict(labelled):
    assert len(labelled) >= 100
    assert len({row["trap"] for row in labelled}) == len(labelled)
    assert all(row["verdict"] in (row["truth"], "undecided") for row in labelled)

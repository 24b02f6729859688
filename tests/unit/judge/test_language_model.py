import pytest

from tasks.judge.disk_map import DiskMap
from tasks.judge.language_model import judge_request, judge_requests, read_llm_verdict, settle


def verdict(row_id, sample, verdict, method):
    return {
        "row_id": row_id,
        "sample": sample,
        "answer": "a",
        "gold": "g",
        "verdict": verdict,
        "method": method,
        "evidence": "boxed",
    }


VERDICTS = [
    verdict("p", 0, "undecided", "proof"),
    verdict("p", 1, "undecided", "truncated"),
    verdict("q", 0, "right", "number"),
    verdict("r", 0, "undecided", "words"),
]
QUESTIONS = [
    {"row_id": row_id, "question": f"question {row_id}", "reference": f"reference {row_id}"} for row_id in "rqp"
]


def outcome(row_id, sample, text, finish="stop"):
    return {"row_id": row_id, "sample": sample, "text": text, "finish": finish}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("They agree.\nVerdict: EQUIVALENT", "right"),
        ("Verdict: **DIFFERENT**", "wrong"),
        ("verdict: ambiguous.", "undecided"),
        ("Verdict: DIFFERENT\nNo:\nVerdict: EQUIVALENT", "right"),
        ("They are equivalent.", None),
        ("", None),
        ("<think>Verdict: DIFFERENT</think>\nVerdict: EQUIVALENT", "right"),
    ],
)
def test_the_last_verdict_counts(text, said):
    assert read_llm_verdict(text) == said


def test_a_request_shows_the_answer_without_its_reasoning():
    request = judge_request("p", 0, "Why {so}?", "Because.", "<think>hm</think> It is.")
    content = request["messages"][0]["content"]
    assert "Why {so}?" in content and "Because." in content and "It is." in content
    assert "hm" not in content


def test_only_what_a_reader_could_decide_is_asked(tmp_path):
    outcomes = [outcome(v["row_id"], v["sample"], "text") for v in VERDICTS]
    with DiskMap(tmp_path / "open") as cases:
        requests = list(judge_requests(cases, VERDICTS, QUESTIONS, outcomes))
    assert [(r["row_id"], r["sample"]) for r in requests] == [("p", 0), ("r", 0)]
    assert "reference p" in requests[0]["messages"][0]["content"]


def test_what_the_model_said_is_taken_over_and_nothing_else_changes(tmp_path):
    answers = [
        outcome("r", 0, "Verdict: EQUIVALENT"),
        outcome("p", 0, "I would say"),
        outcome("q", 0, "Verdict: DIFFERENT"),
    ]
    with DiskMap(tmp_path / "said") as cases:
        settled = list(settle(cases, VERDICTS, answers))
    assert [(row["verdict"], row["method"]) for row in settled] == [
        ("undecided", "proof"),
        ("undecided", "truncated"),
        ("right", "number"),
        ("right", "llm"),
    ]
    assert "gave no verdict" in settled[0]["evidence"]
    assert settled[1] == VERDICTS[1]
    assert "undecided by rules: words" in settled[3]["evidence"]


def test_a_verdict_that_was_cut_counts_for_nothing(tmp_path):
    with DiskMap(tmp_path / "said") as cases:
        settled = list(settle(cases, VERDICTS[:1], [outcome("p", 0, "Verdict: EQUIVALENT", "length")]))
    assert settled[0]["verdict"] == "undecided"


def test_a_request_that_was_dropped_is_no_silence(tmp_path):
    with DiskMap(tmp_path / "said") as cases:
        settled = list(settle(cases, VERDICTS, []))
    assert [row["verdict"] for row in settled] == [row["verdict"] for row in VERDICTS]
    noted = ["the language model gave no verdict" in row["evidence"] for row in settled]
    assert noted == [True, False, False, True]

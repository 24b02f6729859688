import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import DataError
from tasks.core.identity import Identity, fingerprint
from tasks.core.rows import OUTCOMES, QUESTIONS, RECORDS, VERDICTS, read_rows, write_rows
from tasks.core.store import Store
from tasks.judge.config import STAGE_VERSION, KeepConfig
from tasks.judge.kept import failed
from tasks.judge.task import keep_answers, keep_failures


def question(number, reference="7"):
    return {
        "row_id": f"q{number}", "source": "s", "origin": f"f:{number}", "question": f"{number}?",
        "reference": reference,
    }  # fmt: skip


def outcome(number, sample, text="<think>\nHm.\n</think>\n\nIt is 7."):
    row = dict.fromkeys(OUTCOMES)
    return row | {
        "row_id": f"q{number}", "sample": sample, "text": text, "finish": "stop", "prompt_tokens": 1,
        "output_tokens": 1,
    }  # fmt: skip


def verdict(number, sample, said, answer="7", gold="7"):
    row = {"row_id": f"q{number}", "sample": sample, "answer": answer, "gold": gold, "verdict": said}
    return dict.fromkeys(VERDICTS) | row


def published(store, name, rows, columns):
    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, columns), columns

    return store.produce(Identity.of("given", 1, {"name": name, "rows": fingerprint(rows)}, {}), build)


def keep(tmp_path, questions, outcomes, verdicts, **config):
    store = Store(tmp_path)
    refs = [
        published(store, "q", questions, QUESTIONS), published(store, "o", outcomes, OUTCOMES),
        published(store, "v", sorted(verdicts, key=lambda row: (row["row_id"], row["sample"])), VERDICTS),
    ]  # fmt: skip
    ref = keep_answers.fn("s", KeepConfig(**config), *refs, store.root)
    return list(read_rows(store.folder(ref))), list(read_rows(store.folder(ref) / "dropped"))


QUESTIONS_IN_ORDER = [question(3), question(1), question(2, reference=None), question(4)]
ANSWERS = [outcome(n, s) for n in (3, 1, 2) for s in (0, 1)]
SAID = [
    verdict(3, 0, "wrong"), verdict(3, 1, "right"), verdict(1, 0, "wrong"), verdict(1, 1, "undecided"),
    verdict(2, 0, "right"), verdict(2, 1, "right"),
]  # fmt: skip


def test_a_right_answer_is_kept_and_every_other_question_says_why_not(tmp_path):
    kept, dropped = keep(tmp_path, QUESTIONS_IN_ORDER, ANSWERS, SAID)
    assert [(row["row_id"], [turn["content"] for turn in row["messages"]]) for row in kept] == [
        ("q3", ["3?", "It is 7."]), ("q2", ["2?", "It is 7."]),
    ]  # fmt: skip
    assert {row["row_id"]: row["reason"] for row in dropped} == {"q1": "no answer held up", "q4": "not answered"}


def test_reasoning_can_be_kept(tmp_path):
    kept, _ = keep(tmp_path, QUESTIONS_IN_ORDER, ANSWERS, SAID, reasoning="kept")
    assert kept[0]["messages"][1]["content"].startswith("<think>\nHm.\n</think>")


def test_original_answers_are_of_the_same_questions(tmp_path):
    kept, dropped = keep(tmp_path, QUESTIONS_IN_ORDER, ANSWERS, SAID, answers="original")
    assert [(row["row_id"], row["messages"][1]["content"]) for row in kept] == [("q3", "7")]
    assert {row["row_id"]: row["reason"] for row in dropped}["q2"] == "no original answer"


def test_original_answers_may_come_from_elsewhere_and_are_found_by_the_questions_words(tmp_path):
    store = Store(tmp_path)
    turns = [{"role": "user", "content": "  **3**?"}, {"role": "assistant", "content": "Seven it is."}]
    came = [{"row_id": "o", "source": "o", "origin": "f:1", "text": None, "messages": turns}]
    refs = [
        published(store, "q", QUESTIONS_IN_ORDER, QUESTIONS), published(store, "o", ANSWERS, OUTCOMES),
        published(store, "v", sorted(SAID, key=lambda row: (row["row_id"], row["sample"])), VERDICTS),
    ]  # fmt: skip
    originals = published(store, "originals", came, RECORDS)
    ref = keep_answers.fn("s", KeepConfig(answers="original"), *refs, store.root, originals)
    [kept] = read_rows(store.folder(ref))
    assert [turn["content"] for turn in kept["messages"]] == ["3?", "Seven it is."]
    reasons = {row["row_id"]: row["reason"] for row in read_rows(store.folder(ref) / "dropped")}
    assert reasons["q2"] == "no original answer"  # and never its reference, among answers of another kind


def test_which_of_several_right_answers_is_kept_depends_on_the_seed_alone(tmp_path):
    questions = [question(n) for n in range(40)]
    outcomes = [outcome(n, s, f"It is {s}.") for n in range(40) for s in (0, 1)]
    said = [verdict(n, s, "right") for n in range(40) for s in (0, 1)]
    texts = []
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        kept, _ = keep(tmp_path / place, questions, outcomes, said, seed=seed)
        texts.append([row["messages"][1]["content"] for row in kept])
    assert texts[0] == texts[1] != texts[2]
    assert len(set(texts[0])) == 2


def test_no_answer_at_all_is_an_error(tmp_path):
    with pytest.raises(DataError, match="nothing of 1 questions is kept"):
        keep(tmp_path, [question(1)], [outcome(1, 0)], [verdict(1, 0, "wrong")])


@given(st.lists(st.sampled_from(["right", "wrong", "undecided", "cut"]), min_size=1, max_size=6), st.integers(1, 6))
def test_a_failure_is_many_wrong_answers(said, wrong):
    rows = [verdict(1, s, "undecided" if v == "cut" else v, None if v == "cut" else "7") for s, v in enumerate(said)]
    count = sum(v in ("wrong", "cut") for v in said)
    assert list(failed(rows, wrong)) == ([("q1", count)] if count >= wrong else [])


def test_a_question_without_a_reference_is_no_failure():
    assert list(failed([verdict(1, sample, "undecided", None, gold=None) for sample in range(4)], 1)) == []


def test_failures_come_with_their_references(tmp_path):
    store = Store(tmp_path)
    questions = published(store, "q", [question(2), question(1)], QUESTIONS)
    said = [verdict(1, 0, "wrong"), verdict(1, 1, "wrong"), verdict(2, 0, "wrong"), verdict(2, 1, "right")]
    ref = keep_failures.fn("s", 2, questions, published(store, "v", said, VERDICTS), store.root)
    [kept] = read_rows(store.folder(ref))
    assert [turn["content"] for turn in kept["messages"]] == ["1?", "7"]
    [dropped] = read_rows(store.folder(ref) / "dropped")
    assert (dropped["row_id"], dropped["reason"]) == ("q2", "no weakness")


def test_what_is_kept_is_pinned(tmp_path):
    """The meaning of a kept record: should this change, raise STAGE_VERSION."""
    kept, dropped = keep(tmp_path, QUESTIONS_IN_ORDER, ANSWERS, SAID)
    assert (STAGE_VERSION, fingerprint([kept, dropped])[:16]) == (4, "b5e93a9593a471d4")

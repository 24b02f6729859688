import json

import pytest

from tasks.core.errors import DataError, IntegrityError
from tasks.core.identity import Identity
from tasks.core.rows import OUTCOMES, QUESTIONS, REQUESTS, VERDICTS, arrow_schema, read_rows, write_rows
from tasks.core.store import Store
from tasks.judge.artifact import read_summary
from tasks.judge.config import STAGE_VERSION, JudgeConfig
from tasks.judge.task import judge_answers, request_verdicts, settle_verdicts

QUESTION_ROWS = [
    ("q1", "book", "How many?", "18"),
    ("q2", "book", "Prove that it is odd.", "It is 2k + 1."),
    ("q3", "web", "Who?", None),
    ("q4", "web", "How much?", "$5"),
    ("q5", "web", "Never asked?", "7"),
]
ANSWER_ROWS = [
    ("q4", 0, r"\boxed{5}", "stop"),
    ("q1", 1, "#### 19", "stop"),
    ("q1", 0, "#### 18", "stop"),
    ("q3", 0, "Answer: Ada", "stop"),
    ("q2", 0, r"\boxed{odd}", "stop"),
    ("q4", 1, r"\boxed{5}, so", "length"),
    ("q3", 1, "Answer: Ada", "stop"),
]
#: Of version 4; another one means that a verdict means something else, and wants a new STAGE_VERSION.
DIGEST = "8c13ae4212d3603fc80da6e0bbaf3e7104738a7076a5131d42c07741eb4d59fc"


def publish(store, name, columns, rows):
    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, columns), columns

    return store.produce(Identity.of(name, 1, {"rows": json.loads(json.dumps(rows))}, {}), build)


def questions(rows=QUESTION_ROWS):
    return [{"row_id": i, "source": s, "origin": "f:1", "question": q, "reference": r} for i, s, q, r in rows]


def outcomes(rows=ANSWER_ROWS):
    empty = dict.fromkeys(OUTCOMES)
    return [{**empty, "row_id": i, "sample": n, "text": text, "finish": finish} for i, n, text, finish in rows]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def judged(store, config=None, question_rows=QUESTION_ROWS, answer_rows=ANSWER_ROWS, **options):
    asked = publish(store, "questions", QUESTIONS, questions(question_rows))
    answered = publish(store, "outcomes", OUTCOMES, outcomes(answer_rows))
    return judge_answers.fn("it", config or JudgeConfig(), answered, asked, store.root, **options), answered, asked


def verdicts(store, ref):
    return {
        (row["row_id"], row["sample"]): (row["verdict"], row["method"])
        for row in read_rows(store.folder(ref), VERDICTS)
    }


def test_every_answer_gets_a_verdict_by_row_and_sample(store):
    ref, *_ = judged(store)
    assert ref.columns == VERDICTS and ref.num_rows == len(ANSWER_ROWS)
    assert list(verdicts(store, ref).items()) == [
        (("q1", 0), ("right", "exact")),
        (("q1", 1), ("wrong", "number")),
        (("q2", 0), ("undecided", "proof")),
        (("q3", 0), ("undecided", "no reference")),
        (("q3", 1), ("undecided", "no reference")),
        (("q4", 0), ("right", "number")),
        (("q4", 1), ("undecided", "truncated")),
    ]


def test_the_summary_counts_by_reference_and_source(store):
    found = read_summary(store, judged(store)[0])
    assert found.total.model_dump() == {"questions": 4, "kept": 2, "answers": 7, "right": 2, "wrong": 1, "undecided": 4}
    assert found.unanswered == 1
    assert {kind: group.kept for kind, group in found.by_reference.items()} == {"none": 0, "short": 0, "word": 2}
    assert {name: group.questions for name, group in found.by_source.items()} == {"book": 2, "web": 2}
    assert found.methods["undecided"] == {"no reference": 2, "proof": 1, "truncated": 1}
    assert found.agreement is None


def test_agreement_is_counted_where_answers_are_compared(store):
    found = read_summary(store, judged(store, JudgeConfig(mode="self"))[0]).agreement
    assert found.questions == 4 and found.unanimous == 1
    assert found.refused == {"tie": 1, "too few answers": 2}


def test_the_order_of_answers_changes_nothing(store):
    one, *_ = judged(store)
    other, *_ = judged(store, question_rows=QUESTION_ROWS[::-1], answer_rows=ANSWER_ROWS[::-1])
    assert one.path != other.path and one.digest == other.digest


def test_the_digest_is_that_of_this_stage_version(store):
    assert (STAGE_VERSION, judged(store)[0].digest) == (4, DIGEST)


def test_questions_without_any_reference_are_refused_in_reference_mode(store):
    with pytest.raises(DataError, match="no question has a reference") as caught:
        judged(store, question_rows=[(i, s, q, None) for i, s, q, _ in QUESTION_ROWS])
    assert "self" in caught.value.remedy


def test_an_answer_to_nothing_is_refused(store):
    with pytest.raises(IntegrityError, match="q9"):
        judged(store, answer_rows=[("q9", 0, "5", "stop")])


def test_a_sample_that_is_there_twice_is_refused(store):
    with pytest.raises(IntegrityError, match="twice"):
        judged(store, answer_rows=[("q1", 0, "5", "stop"), ("q1", 0, "6", "stop")])


def test_no_answers_at_all_are_an_empty_table(store):
    ref, *_ = judged(store, answer_rows=[])
    assert list(read_rows(store.folder(ref), VERDICTS)) == []
    assert read_summary(store, ref).unanswered == len(QUESTION_ROWS)


def test_progress_ends_at_the_last_question(store):
    seen = []
    judged(store, report=seen.append)
    assert (seen[-1].done, seen[-1].total) == (4, 4)


def test_what_rules_leave_open_goes_to_a_language_model_and_back(store):
    ref, answered, asked = judged(store)
    requests = request_verdicts.fn("it", ref, answered, asked, store.root)
    found = list(read_rows(store.folder(requests), REQUESTS))
    assert [(row["row_id"], row["sample"]) for row in found] == [("q2", 0)]
    said = publish(store, "generate", OUTCOMES, outcomes([("q2", 0, "No gap.\nVerdict: EQUIVALENT", "stop")]))
    settled = settle_verdicts.fn("it", ref, said, asked, store.root)
    assert verdicts(store, settled) == {**verdicts(store, ref), ("q2", 0): ("right", "llm")}
    assert read_summary(store, settled).total.kept == 3
    assert read_summary(store, settled).unanswered == 1


def test_the_tables_are_as_declared(store):
    import pyarrow.parquet as pq

    path = store.folder(judged(store)[0]) / "rows-00000.parquet"
    assert pq.read_schema(path).equals(arrow_schema(VERDICTS))

"""Answers graded a second time: what is read of them, what is compared, and the artifact that comes of it."""

import pytest

from tasks.core.identity import Identity
from tasks.core.rows import GRADES, SCORES, read_rows, write_rows
from tasks.core.store import Store
from tasks.judge.config import STAGE_VERSION
from tasks.judge.equivalence import Equivalence
from tasks.judge.regrade import GRADER, RegradeConfig, RegradeJob, grade, graded_rows, regrade_identity, summary
from tasks.judge.task import regrade_scores

#: Of version 3; another one means that a grade means something else, and wants a new STAGE_VERSION.
PINNED = (4, "58849864332156fd")
FIRST_LINE = r"\A\s*(\S[^\n]*)"

ANSWERS = [
    ("4. 4+3=7. 7-2=5. #### 5", "4. 4+3=7. 7-2=5. #### 5", 1.0),
    ("So it is 6. #### 6", "#### 5", 0.0),
    ("#### 1,450", "... #### 1450", 0.0),
    (r"\boxed{\frac12}", r"so the answer is $\boxed{0.5}$", 0.0),
    ("", "#### 5", 0.0),
    ("red", "blue", 0.0),
]


def scores(answers=ANSWERS, benchmark="codes"):
    return [
        {
            "benchmark": benchmark, "item": f"i{i}", "cluster": None, "correct": correct, "truncated": False,
            "bits": None, "bytes": None, "prompt": "p", "prediction": prediction, "gold": gold,
        }
        for i, (prediction, gold, correct) in enumerate(answers)
    ]  # fmt: skip


@pytest.fixture
def compare(engine):
    return Equivalence(engine).compare


@pytest.mark.parametrize(
    ("prediction", "gold", "pattern", "correct", "method"),
    [
        ("#### 5", "#### 5", None, 1.0, "exact"),
        ("The answer is 5 apples.", "#### 5", None, 1.0, "number"),
        ("The answer is 6.", "#### 5", None, 0.0, "number"),
        # The last number is another one, and a grader that takes it is wrong.
        ("The answer is 5. I checked it 3 times.", "#### 5", None, 1.0, "exact"),
        # Cut before it came to an answer, or none at all.
        ("<think>5 or 6", "#### 5", None, 0.0, "truncated"),
        ("", "#### 5", None, 0.0, "no answer"),
        # A base model goes on with a question of its own.
        ("#### 5\n\nQuestion: How many?\nAnswer: #### 9", "#### 5", None, 1.0, "exact"),
        ("5\n Problem 2: 3+3\n6", "#### 5", None, 1.0, "exact"),
        ("Question: how many? #### 5", "#### 5", None, 1.0, "exact"),
        # Where nothing can be told, nothing is said.
        ("red", "blue", None, None, "words"),
        ("x+1", "1+x", None, None, "scripted"),
        ("#### 5", "", None, None, "no reference"),
        ("#### 5", " ".join(["word"] * 20), None, None, "long reference"),
        # The benchmark's own pattern says where the answer is; a reference may stand without its mark.
        ("Final: 5\nSo, 6", "5", r"Final: (\S+)", 1.0, "exact"),
        ("Final: 4\nFinal: 5", "Final: 5", r"Final: \S+", 1.0, "exact"),
        ("5", "5", r"Final: (\S+)", 0.0, "no answer"),
        ("red\nBob has", "red", FIRST_LINE, 1.0, "exact"),
        ("\n Red.\nBob has", "red", FIRST_LINE, 1.0, "words"),
    ],
)
def test_an_answer_and_its_grade(compare, prediction, gold, pattern, correct, method):
    found = grade(prediction, gold, RegradeConfig(pattern=pattern), compare)
    assert (found.correct, found.method) == (correct, method)
    assert found.evidence


def test_a_chat_model_repeats_the_question_and_asks_none(compare):
    said = "Let us see.\nQuestion: How many?\nAnswer: #### 5"
    found = [grade(said, "#### 5", RegradeConfig(profile=profile), compare).correct for profile in ("base", "chat")]
    assert found == [None, 1.0]


def test_rows_keep_their_order_and_show_the_end_of_long_answers(compare):
    long = "so " * 500 + "#### 5"
    rows = list(graded_rows(scores([(long, "#### 5", 1.0), *ANSWERS]), RegradeConfig(), compare, workers=3))
    assert [row["item"] for row in rows] == [f"i{i}" for i in range(len(ANSWERS) + 1)]
    assert set(rows[0]) == set(GRADES)
    assert len(rows[0]["prediction"]) == 300 and rows[0]["prediction"].endswith("#### 5")
    assert [row["scored"] for row in rows[1:]] == [correct for _, _, correct in ANSWERS]


def test_the_summary_counts_what_could_be_told(compare):
    rows = list(graded_rows(scores(), RegradeConfig(), compare, workers=1))
    found = [row["correct"] for row in rows]
    assert found == [1.0, 0.0, 1.0, 1.0, 0.0, None]
    assert summary(rows) == {"accuracy": 60.0, "decided": 5, "disagreements": 2}
    assert summary([row for row in rows if row["correct"] is None])["accuracy"] is None


def publish(store, name, rows):
    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, SCORES), SCORES

    return store.produce(Identity.of("evaluate", 1, {"name": name}, {}), build)


def job(store, name, rows, pattern=None):
    return RegradeJob(name=name, scores=publish(store, name, rows), config=RegradeConfig(pattern=pattern))


def test_published_in_the_order_of_the_jobs_found_again_and_pinned(tmp_path):
    store = Store(tmp_path)
    settled = [answer for answer in ANSWERS if answer[1] != "blue" and "frac" not in answer[0]]  # needs no sympy
    jobs = [job(store, "b", scores(settled)), job(store, "a", scores(settled[:2]))]
    seen = []
    refs = regrade_scores.fn(jobs, store.root, report=seen.append)
    assert [ref.num_rows for ref in refs] == [4, 2]
    assert [(one.done, one.total) for one in seen] == [(1, 2), (2, 2)]
    assert refs[0].columns == GRADES
    found = store.manifest(refs[0]).provenance
    assert found["grader"] == GRADER and set(found["engines"]) == {"math-verify", "sympy"}
    assert found["disagreements"] == 1
    assert regrade_scores.fn(jobs[::-1], store.root) == refs[::-1]
    assert [row["correct"] for row in read_rows(store.folder(refs[0]))] == [1.0, 0.0, 1.0, 0.0]
    assert (STAGE_VERSION, refs[0].digest[:16]) == PINNED


def test_what_is_read_is_the_identity(tmp_path):
    store = Store(tmp_path)
    one = job(store, "a", scores())
    keys = {
        regrade_identity(other).key
        for other in (one, one.model_copy(update={"config": RegradeConfig(pattern="x")}), job(store, "b", scores()[:1]))
    }
    assert len(keys) == 3
    assert regrade_identity(one.model_copy(update={"name": "z"})) == regrade_identity(one)

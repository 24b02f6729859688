import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import DataError
from tasks.core.identity import fingerprint
from tasks.core.rows import OUTCOMES, QUESTIONS, RECORDS, read_rows, write_rows
from tasks.core.store import Store
from tasks.prompt.config import MATH_TEMPLATE, SIMILAR_TEMPLATE, STAGE_VERSION, PromptConfig
from tasks.prompt.questions import NoQuestion, to_question
from tasks.prompt.requests import requests
from tasks.prompt.similar import NoProblem, new_problem
from tasks.prompt.task import as_questions, ask, new_problems


def record(*turns, text=None):
    messages = [{"role": role, "content": content} for role, content in turns] or None
    return {
        "row_id": fingerprint([turns, text])[:32],
        "source": "s",
        "origin": "f:1",
        "text": text,
        "messages": messages,
    }


def question(text):
    return {"row_id": "r", "source": "s", "origin": "f:1", "question": text, "reference": None}


def published(store, rows, columns=RECORDS):
    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, columns), columns

    from tasks.core.identity import Identity

    return store.produce(Identity.of("given", 1, {"rows": rows}, {}), build)


def test_a_question_keeps_its_records_id_and_its_reference():
    asked = record(("system", "be brief"), ("user", "1 + 1?"), ("assistant", "2"))
    assert to_question(asked) == {
        "row_id": asked["row_id"], "source": "s", "origin": "f:1", "question": "1 + 1?", "reference": "2",
    }  # fmt: skip
    assert to_question(record(("user", "Why?")))["reference"] is None


@pytest.mark.parametrize(
    ("unfit", "reason"),
    [
        (record(text="A page."), "a document"),
        (record(("user", "1?"), ("assistant", "2"), ("user", "3?"), ("assistant", "4")), "several turns"),
        (record(("system", "be brief")), "several turns"),
    ],
)
def test_what_asks_nothing_says_why(unfit, reason):
    with pytest.raises(NoQuestion, match=reason):
        to_question(unfit)


@given(st.text(), st.integers(1, 5), st.sampled_from(["chat", "text"]))
def test_a_question_is_put_word_for_word_whatever_is_in_it(text, samples, form):
    config = PromptConfig(template="Q: {question}\nA:", form=form, samples=samples)
    made = list(requests(question(text), config))
    assert [request["sample"] for request in made] == list(range(samples))
    for request in made:
        put = request["prompt"] if form == "text" else request["messages"][-1]["content"]
        assert put == f"Q: {text}\nA:"
        assert (request["messages"] is None) == (form == "text")


def test_a_system_turn_comes_first():
    [request] = requests(question("1?"), PromptConfig(system="be brief"))
    assert [turn["role"] for turn in request["messages"]] == ["system", "user"]
    assert "\\boxed{}" in request["messages"][1]["content"]


@pytest.mark.parametrize("template", ["", "no place", "{question} {question}"])
def test_a_template_needs_one_place_for_the_question(template):
    with pytest.raises(ValueError, match="where the question goes"):
        PromptConfig(template=template)


SEED = "Tom has 3 red apples and gets 4 more apples from Ann on Monday. How many apples has Tom now?"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Here it is: what is 2 + 2?", "no new problem"),
        ("<problem></problem>", "no new problem"),
        ("<problem>1?</problem><problem>2?</problem>", "several new problems"),
        (f"<problem>{SEED}</problem>", "too close"),
        (f"<problem>{SEED.replace('apples', '$apples$')}</problem>", "too close"),
        ("<think><problem>draft</problem></think> I cannot.", "no new problem"),
        ("<problem>What is", "no new problem"),
    ],
)
def test_an_answer_without_a_usable_problem_says_why(answer, reason):
    with pytest.raises(NoProblem, match=reason):
        new_problem(answer, SEED, 0.7)


def test_a_new_problem_is_read_from_behind_the_reasoning():
    written = "A train runs 60 km an hour for 2 hours. How far?"
    answer = f"<think><problem>draft</problem></think>\n<problem>\n{written}\n</problem>"
    assert new_problem(answer, SEED, 0.7) == written


def test_the_tasks_publish_questions_requests_and_what_was_dropped(tmp_path):
    store = Store(tmp_path)
    rows = [record(("user", "1 + 1?"), ("assistant", "2")), record(text="A page."), record(("user", "Why?"))]
    questions = as_questions.fn("s", published(store, rows), store.root)
    kept = list(read_rows(store.folder(questions)))
    assert [(row["question"], row["reference"]) for row in kept] == [("1 + 1?", "2"), ("Why?", None)]
    [dropped] = read_rows(store.folder(questions) / "dropped")
    assert (dropped["row_id"], dropped["reason"]) == (rows[1]["row_id"], "a document, not a question")
    asked = ask.fn("s", PromptConfig(samples=2), questions, store.root)
    made = list(read_rows(store.folder(asked)))
    assert [(row["row_id"], row["sample"]) for row in made] == [(row["row_id"], s) for row in kept for s in (0, 1)]


def test_a_question_that_stands_there_twice_is_asked_once(tmp_path):
    """Word for word the same row has the same id, by which answers find their question."""
    store = Store(tmp_path)
    rows = [record(("user", "1 + 1?"), ("assistant", "2")), record(("user", "Why?"))]
    again = as_questions.fn("s", published(store, [*rows, rows[0]]), store.root)
    assert [row["row_id"] for row in read_rows(store.folder(again))] == [row["row_id"] for row in rows]
    [dropped] = read_rows(store.folder(again) / "dropped")
    assert (dropped["row_id"], dropped["reason"]) == (rows[0]["row_id"], "asked already")
    assert again.digest == as_questions.fn("s", published(store, rows), store.root).digest


def test_a_dataset_without_a_question_is_an_error(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(DataError, match="none of its 1 rows is a question"):
        as_questions.fn("s", published(store, [record(text="A page.")]), store.root)


def test_what_is_asked_is_pinned():
    """The words that a teacher sees: should they change, raise STAGE_VERSION."""
    made = [list(requests(question("1?"), PromptConfig(template=t))) for t in (MATH_TEMPLATE, SIMILAR_TEMPLATE)]
    assert (STAGE_VERSION, fingerprint([made, QUESTIONS])[:16]) == (2, "3e4386bb28595d49")


def test_new_problems_are_published_and_the_others_say_why(tmp_path):
    store = Store(tmp_path)
    asked = [{"row_id": f"r{n}", "source": "s", "origin": "f", "question": q, "reference": None} for n, q in enumerate(
        [SEED, "A train runs 60 km an hour for 2 hours. How far?"]
    )]  # fmt: skip
    said = [
        "<problem>How many legs have three spiders in all?</problem>",
        f"<problem>{asked[1]['question']}</problem>",
        "<problem>How many",
        "no",
    ]
    outcomes = [
        dict.fromkeys(OUTCOMES) | {"row_id": f"r{n // 2}", "sample": n % 2, "text": text, "finish": finish}
        for n, (text, finish) in enumerate(zip(said, ("stop", "stop", "length", "stop"), strict=True))
    ]
    questions, answers = published(store, asked, QUESTIONS), published(store, outcomes, OUTCOMES)
    ref = new_problems.fn("new", 0.7, questions, answers, store.root)
    [kept] = read_rows(store.folder(ref))
    assert (kept["source"], kept["origin"]) == ("new", "r0#0")
    assert kept["messages"] == [{"role": "user", "content": "How many legs have three spiders in all?"}]
    dropped = {row["origin"]: row["reason"] for row in read_rows(store.folder(ref) / "dropped")}
    assert dropped == {"r0#1": "one of the given problems", "r1#0": "cut at the limit", "r1#1": "no new problem"}

"""The steps of recipes on made-up answers: what is not asked, and what is let through to be trained on."""

import json

import pytest

import flows.ingesting
import flows.workshop
from flows.distill import distill
from flows.recipes import Dataset, Distill
from flows.retrieve import seeds
from flows.study import Runtime
from flows.workshop import Workshop
from tasks.core.errors import DataError, StudyError
from tasks.core.identity import Identity
from tasks.core.rows import ITEMS, OUTCOMES, QUESTIONS, VERDICTS, read_rows, write_rows
from tasks.core.store import Store

ITEM = "A greenhouse has 18 rows of tomato plants with 24 plants in each row. How many plants are there in it?"
COLUMNS = {"question": "question", "reference": "answer"}


def publish(store, stage, columns, rows):
    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, columns), columns

    return store.produce(Identity.of(stage, 1, {"rows": str(rows)}, {}), build)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    for module in (flows.ingesting, flows.workshop):
        monkeypatch.setattr(module, "cached", lambda task, *_: task.fn)
    runtime = Runtime(store=tmp_path / "store")
    items = publish(Store(runtime.store), "items", ITEMS, [{"benchmark": "b", "item": "b/0", "text": ITEM}])
    return Workshop("made", runtime, items)


@pytest.fixture
def asked(monkeypatch):
    """The questions that a teacher was asked; it answers each, one of them in a benchmark's words, and all is right."""
    questions = []

    def answers(shop, ref, prompt, model):
        rows = list(read_rows(shop.store.folder(ref), QUESTIONS))
        questions.extend(row["question"] for row in rows)
        said = [f"{ITEM} It is 432." if "leak" in row["question"] else "It is 4." for row in rows]
        outcome = dict.fromkeys(OUTCOMES) | {"sample": 0, "finish": "stop", "prompt_tokens": 1, "output_tokens": 1}
        outcomes = [outcome | {"row_id": row["row_id"], "text": text} for row, text in zip(rows, said, strict=True)]
        return publish(shop.store, "generate", OUTCOMES, outcomes)

    def verdicts(shop, config, samples, answers, questions, reader):
        verdict = dict.fromkeys(VERDICTS) | {"sample": 0, "verdict": "right"}
        found = [verdict | {"row_id": row["row_id"]} for row in read_rows(shop.store.folder(answers), OUTCOMES)]
        return publish(shop.store, "judge", VERDICTS, found)

    monkeypatch.setattr(Workshop, "answers", answers)
    monkeypatch.setattr(Workshop, "verdicts", verdicts)
    return questions


def dataset(folder, *rows, columns=COLUMNS):
    file = folder / "asked.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Dataset(name="asked", file=str(file), columns=columns)


def recipe(questions, **changes):
    teacher = {"model": {"path": "teacher"}, "sampling": {}}
    return Distill.model_validate({"kind": "distill", "questions": questions, "teacher": teacher} | changes)


TWO = {"question": "What is two and two, told in so many words?", "answer": "4"}
BARE = {"question": "Which number is it that nobody has written down?", "answer": None}


def test_a_question_without_the_reference_that_it_is_judged_by_is_not_asked(shop, asked, tmp_path):
    made = distill(shop, recipe(dataset(tmp_path, TWO, BARE, {**TWO, "question": "And one and three?", "answer": " "})))
    assert asked == [TWO["question"]] and made.num_rows == 1
    [questions] = [ref for ref, _ in shop.store.manifests("questions")]
    reasons = [row["reason"] for row in read_rows(shop.store.folder(questions) / "dropped")]
    assert reasons == ["no reference", "no reference"]


def test_a_question_without_a_reference_is_asked_where_agreement_judges(shop, asked, tmp_path):
    distill(shop, recipe(dataset(tmp_path, TWO, BARE), judge={"mode": "both"}))
    assert asked == [TWO["question"], BARE["question"]]


def test_questions_without_any_reference_are_refused_before_they_are_asked(shop, asked, tmp_path):
    bare = dataset(tmp_path, {"question": TWO["question"]}, BARE, columns={"question": "question"})
    with pytest.raises(DataError, match="no question has a reference, so none of 2 could be judged by one"):
        distill(shop, recipe(bare))
    assert asked == []


def test_an_answer_that_gives_a_benchmark_away_is_not_trained_on(shop, asked, tmp_path):
    leak = {"question": "What of the leak in a roof of glass?", "answer": "432"}
    declared = recipe(dataset(tmp_path, TWO, leak))
    clean = shop.apart(distill(shop, declared), declared.decontaminate)
    assert asked == [TWO["question"], leak["question"]]
    [row] = read_rows(shop.store.folder(clean))
    assert row["messages"][0]["content"] == TWO["question"]
    [dropped] = read_rows(shop.store.folder(clean) / "dropped")
    assert dropped["reason"] == "contaminated"


def test_without_benchmarks_rows_are_as_they_were_kept(shop, asked, tmp_path):
    declared, open_shop = recipe(dataset(tmp_path, TWO)), Workshop("made", shop.runtime, None)
    made = distill(open_shop, declared)
    assert open_shop.apart(made, declared.decontaminate) == made


def test_a_benchmark_item_among_plain_seeds_stops_a_recipe(shop, tmp_path):
    given = dataset(tmp_path, TWO, {"question": ITEM.replace(" ", "  "), "answer": "432"})
    with pytest.raises(StudyError, match="asked: 1 of its questions are benchmark items, the first is b/0 of b"):
        seeds(shop, given)
    assert seeds(Workshop("made", shop.runtime, None), given).num_rows == 2
    assert seeds(shop, dataset(tmp_path, TWO)).num_rows == 1

"""A recipe's key: what is declared and what is there, never where it is."""

import copy
import json
import shutil

import pytest
import yaml

from flows.make import find_or_make
from flows.orders import check_order, load_order, order_identity
from flows.study import Runtime
from tasks.core.errors import StudyError
from tasks.core.store import Store

QUESTIONS = [{"question": f"What is {n} + 1, told in so many words?", "answer": str(n + 1)} for n in range(4)]
ORDER = {
    "name": "made",
    "recipe": {
        "kind": "distill",
        "questions": {
            "name": "asked",
            "file": "asked.jsonl",
            "columns": {"question": "question", "reference": "answer"},
        },
        "teacher": {"model": {"path": "teacher", "dtype": "float32"}, "sampling": {"temperature": 0}},
    },
    "benchmarks": [{"name": "held-out", "file": "held-out.jsonl", "kind": "qa", "domain": "math"}],
}


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def order(tmp_path):
    """The folder of an order, with all that it starts from."""
    folder = tmp_path / "order"
    (folder / "teacher").mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (folder / "teacher" / name).write_text("{}")
    write_jsonl(folder / "asked.jsonl", QUESTIONS)
    write_jsonl(folder / "held-out.jsonl", [{"question": "What is 9 + 9, then?", "answer": "18"}])
    (folder / "order.yaml").write_text(yaml.safe_dump(ORDER))
    return folder


def key(folder):
    return order_identity(load_order(folder / "order.yaml"), Runtime()).key


def changed(folder, change):
    declared = copy.deepcopy(ORDER)
    change(declared)
    (folder / "order.yaml").write_text(yaml.safe_dump(declared))
    return key(folder)


def test_the_key_is_of_content_and_not_of_place(order, tmp_path):
    first = key(order)
    shutil.copytree(order, tmp_path / "elsewhere" / "order")
    assert key(tmp_path / "elsewhere" / "order") == first


def test_whatever_changes_the_result_changes_the_key(order):
    keys = {key(order)}
    write_jsonl(order / "asked.jsonl", QUESTIONS[:3])
    keys.add(key(order))
    (order / "teacher" / "model.safetensors").write_text("{} ")
    keys.add(key(order))
    write_jsonl(order / "held-out.jsonl", [{"question": "What is 8 + 8, then?", "answer": "16"}])
    keys.add(key(order))
    keys.add(changed(order, lambda declared: declared["recipe"].update(prompt={"samples": 2})))
    keys.add(changed(order, lambda declared: declared["recipe"].update(keep={"answers": "original"})))
    keys.add(changed(order, lambda declared: declared["recipe"]["teacher"]["sampling"].update(temperature=1)))
    keys.add(changed(order, lambda declared: declared.update(name="other")))
    keys.add(changed(order, lambda declared: declared.update(benchmarks=[])))
    assert len(keys) == 9


def test_what_it_runs_on_changes_nothing(order):
    runtime = Runtime.model_validate({"generate": {"actors": 4, "prompt_price": 1.0}, "store": "elsewhere"})
    assert order_identity(load_order(order / "order.yaml"), runtime).key == key(order)


WRONG = {
    "prompt.samples": {"judge": {"mode": "self", "k": 4}, "prompt": {"samples": 2}},
    "where the question goes": {"prompt": {"template": "no place"}},
    "give either `sampling` or `scoring`": {"teacher": {"model": {"path": "teacher"}}},
    "give one of `file`, `hub` and `recipe`": {"questions": {"name": "asked"}},
    "kind": {"kind": "distil"},
}


@pytest.mark.parametrize("message", WRONG)
def test_a_recipe_that_makes_no_sense_says_where(order, message):
    with pytest.raises(StudyError) as caught:
        changed(order, lambda declared: declared["recipe"].update(WRONG[message]))
    assert message in str(caught.value)
    assert "nothing was started" in str(caught.value)


def test_a_missing_column_is_named_before_anything_starts(order):
    (order / "asked.jsonl").write_text('{"q": "1 + 1?"}\n')
    with pytest.raises(StudyError, match=r"recipe\.questions\.asked: .*no column answer, question"):
        check_order(load_order(order / "order.yaml"))


def test_failures_need_benchmarks(order):
    def failures(declared):
        recipe = declared["recipe"]
        model = recipe["teacher"] | {"sampling": {}}
        declared["recipe"] = {"kind": "failures", "questions": recipe["questions"], "model": model}
        declared["benchmarks"] = []

    changed(order, failures)
    with pytest.raises(StudyError, match="benchmarks"):
        check_order(load_order(order / "order.yaml"))


def test_a_missing_teacher_is_named(order):
    shutil.rmtree(order / "teacher")
    with pytest.raises(StudyError, match="teacher"):
        key(order)


def test_known_question_sets_need_no_columns(order):
    questions = {"name": "asked", "file": "asked.jsonl", "preset": "gsm8k"}
    first = key(order)
    assert changed(order, lambda declared: declared["recipe"].update(questions=questions)) == first
    with pytest.raises(StudyError, match="there is no 'gsm9k'; take one of natural-reasoning"):
        changed(order, lambda declared: declared["recipe"].update(questions=questions | {"preset": "gsm9k"}))


def test_what_was_made_is_found_without_a_run_of_prefects(order, tmp_path, monkeypatch):
    declared, runtime = load_order(order / "order.yaml"), Runtime(store=tmp_path / "store")
    monkeypatch.setattr("flows.make.make", lambda *_: "a run")
    assert find_or_make(declared, runtime) == "a run"
    made = Store(runtime.store).produce(order_identity(declared, runtime), lambda draft: None)
    assert find_or_make(declared, runtime) == made

"""Recipes on the real engines: vLLM on Ray actors asks a tiny teacher that was taught on the spot."""

import json
import re
import string
import sys

import pytest
import yaml
from kitchen import ASKED, DRAWN, TEACHER, TEXT, Kitchen, distill
from small_study import ASSAY, ROOT, write_jsonl
from taught import CODES, questions

from flows.asking import Left
from flows.orders import load_order
from flows.shelf import Shelf
from flows.study import load_runtime
from tasks.core.rows import read_rows
from tasks.core.store import Store
from tasks.evaluate.items import items_identity

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory, prefect_api, taught):
    return Kitchen(tmp_path_factory.mktemp("kitchen"), prefect_api, taught)


def chats(rows):
    return [tuple(turn["content"] for turn in row["messages"]) for row in rows]


def planned(kitchen, name):
    """What a plan says of a recipe that was made, which goes the same way: what is left, and the rows that it finds."""
    order, runtime = load_order(kitchen.folder / f"{name}.yaml"), load_runtime(kitchen.folder / "runtime.yaml")
    store = Store(runtime.store)
    items = store.find(items_identity(order.benchmarks, order.evaluate, runtime.evaluate))
    left = Left(Shelf(store, items))
    return left, left.follow(order.name, order.recipe)


def left_to_ask(kitchen, name):
    """What a plan would still have asked and read for a recipe that was made."""
    left, _ = planned(kitchen, name)
    return left.asks | left.readings


def step(shown, stage):
    return next(step for step in shown["steps"] if step["stage"] == stage)


def test_a_teachers_answers_become_a_dataset_once(kitchen):
    shown, rows = kitchen.made("distilled", distill(), "--to", kitchen.folder / "distilled.jsonl")
    assert sorted(chats(rows)) == sorted(kitchen.asked)
    assert step(shown, "prompt")["rows"] == 120 == step(shown, "generate")["rows"]
    assert step(shown, "generate")["tokens"] > 120
    [judged] = shown["judged"]
    assert judged["step"] == "keep" and judged["summary"]["by_source"]["asked"]["kept"] == len(rows)
    assert judged["summary"]["agreement"]["questions"] == 60
    written = [json.loads(line) for line in (kitchen.folder / "distilled.jsonl").read_text().splitlines()]
    assert chats(written) == chats(rows)
    before = sorted(path for path in (kitchen.folder / "store").rglob("manifest.json"))
    again, _ = kitchen.made("distilled", distill())
    assert again == shown
    assert left_to_ask(kitchen, "distilled") == {}
    assert sorted(path for path in (kitchen.folder / "store").rglob("manifest.json")) == before


def test_original_answers_cost_nothing_more(kitchen):
    kitchen.made("distilled", distill())
    asked = len(list((kitchen.folder / "store" / "generate").iterdir()))
    _, rows = kitchen.made("originals", distill(keep={"answers": "original"}))
    assert sorted(chats(rows)) == sorted(kitchen.asked)
    assert len(list((kitchen.folder / "store" / "generate").iterdir())) == asked


def test_a_row_is_traced_through_its_recipe(kitchen):
    _, rows = kitchen.made("distilled", distill())
    done = kitchen.run(ASSAY, "trace", rows[0]["row_id"], "--store", kitchen.folder / "store", "--json")
    stages = [event["stage"] for event in json.loads(done.stdout)]
    assert stages[:3] == ["ingest", "dedup", "decontaminate"]
    assert stages.count("generate") == 2 == stages.count("judge")
    assert "keep" in stages


#: The question alone, as the taught model knows it; of pears all that a judge is told, which is over its context.
READS = (
    "{% set told = messages[-1].content %}{% set asked = told.split('<question>\\n')[1].split('\\n</question>')[0] %}"
    "{{ (told if 'pears' in asked else asked) + '\\n' }}"
)


@pytest.mark.parametrize(
    ("name", "opening", "stop", "verdict", "note"),
    [
        ("agreed", "Verdict: EQUIVALENT\n", list(string.printable), "right", "the language model: Verdict: EQUIVALENT"),
        pytest.param("mumbled", "", [], "undecided", "the language model gave no verdict", marks=pytest.mark.slow),
    ],
)
def test_what_rules_leave_open_a_second_model_is_asked_and_nothing_is_lost(kitchen, name, opening, stop, verdict, note):
    """A tiny model judges nothing: what it says is put into its mouth, or it says something else."""
    asked = list(questions(12, start=800))
    in_words = [(q, "as many as there are kinds of them") for q, _ in asked[6:]]
    write_jsonl(kitchen.folder / "open.jsonl", [{"question": q, "answer": a} for q, a in [*asked[:6], *in_words]])
    reader = {
        "model": TEACHER["model"] | {"chat_template": READS, "opening": opening},
        "sampling": TEACHER["sampling"] | {"stop": stop},
    }  # fmt: skip
    recipe = distill(
        questions=ASKED | {"name": "open", "file": "open.jsonl"}, teacher=TEACHER, prompt=TEXT,
        judge={"mode": "reference"}, reader=reader,
    )  # fmt: skip
    _, rows = kitchen.made(name, recipe)
    store = Store(kitchen.folder / "store")
    [settled] = [ref for ref, made in store.manifests("judge-settled") if made.provenance["source"] == name]
    verdicts = list(read_rows(store.folder(settled)))
    assert [row["verdict"] for row in verdicts if row["gold"] in ("4", "9")] == ["right"] * 6
    left_open = [(row["verdict"], row["evidence"]) for row in verdicts if row["gold"] == in_words[0][1]]
    assert len(left_open) == 6
    assert sum(said == verdict and note in evidence for said, evidence in left_open) == (3 if opening else 6)
    silent = [said for said, evidence in left_open if "the language model gave no verdict" in evidence]
    assert silent == ["undecided"] * (3 if opening else 6)  # of pears it could not be asked
    assert len(rows) == (9 if opening else 6)
    read = [made for _, made in store.manifests("generate") if made.provenance["name"] == name and made.num_dropped]
    assert [(made.num_rows, made.num_dropped) for made in read] == [(3, 3)]


@pytest.fixture
def failures(kitchen):
    """Questions whose reference, for pears, is another than what the teacher was taught: each of them a weakness."""
    wrong = [{"question": q, "answer": "#### 5" if "pears" in q else a} for q, a in questions(40, start=200)]
    write_jsonl(kitchen.folder / "train.jsonl", wrong)
    return {
        "kind": "failures", "questions": ASKED | {"name": "train", "file": "train.jsonl"}, "model": DRAWN,
        "prompt": TEXT | {"samples": 4}, "dedup": {"threshold": 1.0},
    }  # fmt: skip


@pytest.fixture
def retrieve(kitchen, failures):
    """The rows of a pool that are most like the failures, by the words that they share."""
    pool = [{"question": q, "answer": a} for q, a in questions(60, start=400)]
    write_jsonl(kitchen.folder / "pool.jsonl", pool)
    return {
        "kind": "retrieve", "queries": failures, "pool": [{"name": "pool", "file": "pool.jsonl"}],
        "search": {"kind": "bm25", "select": {"k": 5}}, "dedup": {"threshold": 1.0},
    }  # fmt: skip


def test_failures_are_what_the_model_gets_wrong_and_their_like_is_found(kitchen, failures, retrieve):
    _, rows = kitchen.made("failures", failures)
    train = [json.loads(line)["question"] for line in (kitchen.folder / "train.jsonl").read_text().splitlines()]
    assert {q for q, _ in chats(rows)} == {question for question in train if "pears" in question}
    shown, found = kitchen.made("retrieved", retrieve)
    [judged] = shown["judged"]
    assert judged["step"] == "failures" and judged["summary"]["by_source"].keys() == {"train"}
    assert found and all("pears" in q for q, _ in chats(found))
    weaknesses = {row["row_id"] for row in rows}
    assert all(match["query"] in weaknesses for row in found for match in row["matches"])
    assert all(row["matches"] and 1 <= match["rank"] <= 5 for row in found for match in row["matches"])
    assert left_to_ask(kitchen, "retrieved") == {}
    _, rows = planned(kitchen, "retrieved")
    assert rows.ref is not None and rows.ref.num_rows == len(found)


def test_the_papers_chain_from_failures_by_vectors_to_new_problems(kitchen, retrieve):
    """The teacher is the encoder too: the hidden states of a decoder, mean-pooled, are vectors like any other."""
    dense = retrieve | {
        "embed": {"path": "teacher", "max_tokens": 64}, "search": {"kind": "dense", "select": {"k": 5}},
    }  # fmt: skip
    shown, rows = kitchen.made("chain", augment(seeds=dense))
    assert all(step(shown, stage)["rows"] > 0 for stage in ("failures", "retrieve", "problems", "keep"))
    assert len(list((kitchen.folder / "store" / "embed").iterdir())) == 2  # the pool's vectors, and the failures'
    embedded = [one for one in shown["steps"] if one["stage"] == "embed"]
    assert len(embedded) == 2 and all(one["rows"] > 0 and one["seconds"] > 0 for one in embedded)
    assert left_to_ask(kitchen, "chain") == {}
    assert rows and all(q.endswith("Code?") for q, _ in chats(rows))


def test_a_benchmark_item_among_the_questions_stops_failures(kitchen):
    item = json.loads((kitchen.folder / "held-out.jsonl").read_text().splitlines()[3])
    write_jsonl(kitchen.folder / "leaky.jsonl", [{"question": "Eve has 1 pears. Code?", "answer": "#### 9"}, item])
    leaky = {
        "kind": "failures", "questions": ASKED | {"name": "leaky", "file": "leaky.jsonl"}, "model": DRAWN,
        "prompt": TEXT | {"samples": 4},
    }  # fmt: skip
    done = kitchen.make("leaky", leaky)
    assert done.returncode == 2
    assert "benchmark items" in done.stderr and "held-out" in done.stderr


def augment(**changes):
    recipe = {
        "kind": "augment", "seeds": ASKED, "largest_overlap": 0.9, "dedup": {"threshold": 1.0},
        "writer": TEACHER | {"sampling": {"temperature": 1.0, "max_output_tokens": 40}},
        "similar": {"form": "text", "template": "{question} Another:\n"}, "solver": DRAWN,
        "prompt": TEXT | {"samples": 2},
    }  # fmt: skip
    return recipe | changes


def test_new_problems_are_kept_where_two_solutions_agree(kitchen):
    shown, rows = kitchen.made("augmented", augment())
    assert len(rows) > 10
    assert {q for q, _ in kitchen.asked}.isdisjoint(q for q, _ in chats(rows))
    right = [answer == CODES["pears" if "pears" in asked else "apples"] for asked, answer in chats(rows)]
    assert sum(right) > 0.8 * len(right)  # the writer garbles a problem now and then, and agreement lets it pass
    problems = step(shown, "problems")
    assert problems["rows"] + problems["dropped"] == 60


def test_the_page_on_own_recipes_runs(kitchen, tmp_path):
    page = (ROOT / "docs" / "how-to" / "own-recipe.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(code.splitlines()) < 60
    (tmp_path / "rephrase.py").write_text(code)
    recipe = {"name": "rephrased", "questions": ASKED, "teacher": TEACHER, "prompt": TEXT}
    (kitchen.folder / "rephrase.yaml").write_text(yaml.safe_dump(recipe))
    files = (kitchen.folder / "rephrase.yaml", kitchen.folder / "runtime.yaml", tmp_path / "out.jsonl")
    done = kitchen.run(sys.executable, tmp_path / "rephrase.py", *files)
    assert done.returncode == 0, done.stderr[-4000:]
    rows = [json.loads(line) for line in files[2].read_text().splitlines()]
    assert chats(rows) == [(a, a) for _, a in kitchen.asked]


BAD = {
    "no-references": (
        distill(
            judge={"mode": "reference"},
            questions={"name": "bare", "file": "bare.jsonl", "columns": {"question": "question"}},
        ),
        3, "no question has a reference",
    ),
    "no-teacher": (distill(teacher={"model": {"path": "nowhere"}, "sampling": {}}), 2, "nowhere"),
    "no-template": (distill(prompt={"samples": 2}), 3, "chat template"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_made_says_why(kitchen, name):
    recipe, code, message = BAD[name]
    write_jsonl(kitchen.folder / "bare.jsonl", [{"question": q} for q, _ in kitchen.asked[:6]])
    template = kitchen.folder / "teacher" / "chat_template.jinja"
    text = template.read_text()
    if name == "no-template":
        template.unlink()
    try:
        done = kitchen.make(name, recipe)
    finally:
        template.write_text(text)
    assert done.returncode == code, done.stderr[-3000:]
    assert message in done.stderr

from __future__ import annotations

import json

import pytest

from tasks.core.rows import ITEMS, read_rows
from tasks.core.store import Store
from tasks.evaluate.config import STAGE_VERSION, BenchmarkConfig, EvaluateConfig, EvaluateRuntime
from tasks.evaluate.items import Item, item_rows, items_identity, publish_items

#: What the stage publishes of a fixed file. If this changes, raise STAGE_VERSION.
PINNED = (2, "690efb3bb309e4f62106ea9f91292d41759e8c5eaa1232372c6e695883c7df14")
SOLUTION = "She has 3 nuts. She finds 4 more nuts in the wood behind the mill. So 3 + 4 = 7."


def publish(benchmarks, store, engine, data="data"):
    return publish_items(
        benchmarks, config=EvaluateConfig(), runtime=EvaluateRuntime(data=str(data)), store=store, engine=engine,
        on_progress=lambda progress: None,
    )  # fmt: skip


@pytest.fixture
def mine(qa_file) -> BenchmarkConfig:
    return BenchmarkConfig(name="mine", file=str(qa_file), kind="qa", domain="math")


@pytest.mark.parametrize(
    ("asked", "gold", "texts"),
    [
        (["Q?"], "42", ["Q?"]),
        (["Q?", "", "A. 1\nB. 2"], "B", ["Q?\nA. 1\nB. 2"]),
        (["Q?", ["assert f(1)"]], "", ["Q?\n['assert f(1)']"]),
        (["Q?"], SOLUTION, ["Q?", SOLUTION]),
    ],
)
def test_an_item_is_what_it_asks_and_a_solution_is_a_text_of_its_own(asked, gold, texts):
    rows = list(item_rows("b", Item("b/0", asked, gold)))
    assert rows == [{"benchmark": "b", "item": "b/0", "text": text} for text in texts]


def test_a_file_of_the_studys_own_needs_no_engine(tmp_path, make, mine):
    store, engine = Store(tmp_path / "store"), make.tables()
    ref = publish([mine], store, engine)
    rows = list(read_rows(store.folder(ref)))
    assert [row["text"] for row in rows] == ["0+1?", "1+1?", "2+1?"]
    assert [row["item"].partition("-")[0] for row in rows] == ["mine/0", "mine/1", "mine/2"]
    assert (engine.asked, ref.columns) == ([], ITEMS)
    assert (STAGE_VERSION, ref.digest) == PINNED
    first = mine.model_copy(update={"limit": 1})
    assert publish([first], store, engine).num_rows == 1


def test_benchmarks_come_in_their_order_whoever_reads_them(tmp_path, make, mine):
    data = tmp_path / "data" / "data" / "gsm8k"
    data.mkdir(parents=True)
    for split in ("train", "test"):
        (data / f"{split}.jsonl").write_text(json.dumps({"question": "?", "answer": "1"}))
    engine = make.tables((ITEMS, [{"benchmark": "gsm8k", "item": "gsm8k/0", "text": "?"}], {}))
    store, gsm8k = Store(tmp_path / "store"), BenchmarkConfig(name="gsm8k")
    ref = publish([gsm8k, mine], store, engine, tmp_path / "data")
    assert [row["benchmark"] for row in read_rows(store.folder(ref))] == ["gsm8k", "mine", "mine", "mine"]
    assert [(task.work, task.suite.name) for task in engine.asked] == [("items", "gsm8k")]
    assert publish([gsm8k, mine], store, engine, tmp_path / "data") == ref
    assert len(engine.asked) == 1


def test_identity_is_what_the_items_say_and_not_how_they_are_asked(mine, qa_file):
    def key(**changes) -> str:
        changed = mine.model_copy(update=changes)
        return items_identity([changed], EvaluateConfig(), EvaluateRuntime()).key

    before = key()
    assert before == key(max_output_tokens=9, prompt="{question}!", extract="text")
    assert before != key(limit=1)
    qa_file.write_text(qa_file.read_text().replace("0+1", "0+2"))
    assert before != key()

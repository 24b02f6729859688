"""What candidates share with the benchmarks, as a run says it and as `assay trace` tells it."""

import pytest

from flows.overlaps import find_overlaps
from flows.study import Runtime, parse_study
from flows.trace import trace
from flows.work import Work
from tasks.core.checkpoint import Checkpoint
from tasks.core.identity import Identity
from tasks.core.rows import ITEMS, RECORDS, write_rows
from tasks.core.store import Store

ITEM = "A greenhouse has 18 rows of tomato plants with 24 plants in each row. How many plants are there in it?"


def publish(store, stage, columns, rows):
    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, columns), columns

    return store.produce(Identity.of(stage, 1, {"rows": str(rows)}, {}), build)


@pytest.fixture
def work(tmp_path):
    study = {
        "name": "here", "base": {"path": str(tmp_path)}, "stage": "pretrain", "tokens": 1000,
        "validated": [{"name": "mix", "weight": 1, "file": "mix.jsonl"}],
        "candidates": [{"name": name, "file": f"{name}.jsonl"} for name in ("leaky", "clean")],
        "anneal": {"sequence_length": 10, "global_batch": 2}, "benchmarks": [{"name": "gsm8k"}],
    }  # fmt: skip
    base = Checkpoint(folder=tmp_path, digest="b", tokenizer="t", template="c", template_text=None)
    return Work(parse_study(study, "here"), Runtime(store=tmp_path / "store"), base)


def test_a_leak_is_said_once_and_traced(work, capsys, monkeypatch):
    monkeypatch.setattr("flows.overlaps.cached", lambda task, *_: task.fn)
    store = Store(work.runtime.store)
    items = publish(store, "items", ITEMS, [{"benchmark": "gsm8k", "item": "gsm8k/0-abc", "text": ITEM}])
    texts = {"leaky": f"Once more: {ITEM} It is 432.", "clean": "A page about sheep and their five farmers."}
    records = {
        name: publish(
            store, "ingest", RECORDS,
            [{"row_id": f"row-{name}", "source": name, "origin": "f:1", "text": text, "messages": None}],
        )
        for name, text in texts.items()
    }  # fmt: skip
    overlaps = find_overlaps(work, records, items)
    said = " ".join(capsys.readouterr().err.split())
    assert list(overlaps) == ["leaky", "clean"]
    assert "leaky: its rows hold 50 % or more of 1 of 1 items of gsm8k" in said and "clean" not in said
    assert find_overlaps(work, records, items) == overlaps
    assert capsys.readouterr().err == ""
    told = {event.stage: event.what for event in trace(store, "row-leaky")}
    assert told["overlap"] == "holds 1.00 of gsm8k's gsm8k/0-abc"
    assert [event.stage for event in trace(store, "row-clean")] == ["ingest"]

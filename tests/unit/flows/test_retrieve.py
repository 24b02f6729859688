"""What a retrieved row matched, on its way into the made dataset, to a file, and in its trace."""

import json

import pytest

import flows.ingesting
import flows.retrieve
import flows.workshop
from flows.export import export
from flows.make import publish_made
from flows.recipes import Retrieve
from flows.retrieve import retrieve
from flows.study import Runtime
from flows.trace import trace
from flows.workshop import Workshop
from tasks.core.identity import Identity
from tasks.core.rows import MATCHED, MATCHES, RECORDS, read_rows, write_rows
from tasks.core.store import Store

#: The third repeats the first and goes.
ROWS = ["How many eggs do nine hens lay?", "Which day comes after a second Tuesday?", "How many eggs do nine hens lay"]
RECIPE = Retrieve.model_validate({
    "kind": "retrieve", "search": {"kind": "bm25"}, "queries": {"name": "asked", "file": "asked.jsonl"},
    "pool": [{"name": "pool", "file": "pool.jsonl"}], "dedup": {"threshold": 1.0},
})  # fmt: skip


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A workshop in which a search finds all of `ROWS`, the first for eleven queries."""
    for module in (flows.ingesting, flows.retrieve, flows.workshop):
        monkeypatch.setattr(module, "cached", lambda task, *_: task.fn)
    shop = Workshop("found", Runtime(store=tmp_path / "store"), None)
    rows = [
        {"row_id": f"r{n}", "source": "pool", "origin": f"pool.jsonl:{n}", "text": text, "messages": None}
        for n, text in enumerate(ROWS)
    ]
    matches = [{"row_id": "r0", "query": f"q{n}", "score": 1 - n / 100, "rank": 1} for n in range(11)]
    matches += [{"row_id": row_id, "query": "q0", "score": 0.5, "rank": 2} for row_id in ("r1", "r2")]

    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, RECORDS), RECORDS
        write_rows(draft.folder / "matches", matches, MATCHES)

    found = shop.store.produce(Identity.of("retrieve", 1, {}, {}), build)
    monkeypatch.setattr(flows.retrieve, "_found", lambda *_: found)
    return shop


def test_each_row_of_the_dataset_and_of_its_file_has_what_it_matched(shop, tmp_path):
    made = retrieve(shop, RECIPE)
    ref = publish_made(shop.store, Identity.of("recipe", 1, {}, {}), made, made)
    assert ref.columns == MATCHED
    export(shop.store, ref, tmp_path / "found.jsonl")
    written = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert [len(row["matches"]) for row in written] == [11, 1]
    assert written[1]["matches"] == [{"query": "q0", "score": 0.5, "rank": 2}]
    assert written == [
        {name: value for name, value in row.items() if value is not None} for row in read_rows(shop.store.folder(ref))
    ]


def test_a_trace_tells_what_a_row_matched(shop):
    retrieve(shop, RECIPE)
    told = [event.what for event in trace(Store(shop.runtime.store), "r0") if event.stage == "retrieve"]
    assert told == [
        "retrieved from pool",
        "matched 11 queries: q0 (rank 1, score 1.0000), q1 (rank 1, score 0.9900), q2 (rank 1, score 0.9800) "
        "and 8 more",
    ]
    one = [event.what for event in trace(Store(shop.runtime.store), "r1") if event.stage == "retrieve"]
    assert one[1] == "matched 1 query: q0 (rank 2, score 0.5000)"

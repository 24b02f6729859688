"""The rows nearest to benchmark items, by a real BM25."""

from __future__ import annotations

import pytest

from tasks.core.identity import Identity
from tasks.core.rows import ITEMS, NEIGHBOURS, RECORDS, read_rows, write_rows
from tasks.core.store import Store
from tasks.retrieve.artifact import nearest_identity
from tasks.retrieve.config import NearestConfig, RetrieveRuntime
from tasks.retrieve.nearest import nearest_rows
from tasks.retrieve.task import nearest

ROWS = (
    "Ann has 3 apples and buys 4 more apples. How many apples has Ann now?",
    "A train leaves the station at noon and travels 60 miles an hour.",
    "Bob has 3 apples. How many has he after eating one?",
)
ASKED = {
    "same": ROWS[0],
    "near": "Ann has 5 apples and buys 2 more apples. How many apples does Ann own?",
    "far": "Which enzyme unwinds DNA during replication?",
}


@pytest.fixture
def found(tmp_path):
    store = Store(tmp_path)
    records = [
        {"row_id": f"r{n}", "source": "s", "origin": f"s:{n}", "text": None,
         "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "answer " * 50}]}
        for n, text in enumerate(ROWS)
    ]  # fmt: skip
    items = [{"benchmark": "b", "item": name, "text": text} for name, text in ASKED.items()]
    items.insert(1, {"benchmark": "b", "item": "same", "text": "its solution, which is not asked for"})

    def made(name, rows, columns):
        return store.produce(Identity.of("given", 1, {"name": name}, {}), lambda d: write_rows(d.folder, rows, columns))

    refs = made("records", records, RECORDS), made("items", items, ITEMS)
    return store, refs, nearest.fn("s", NearestConfig(k=2), *refs, store.root)


def test_the_nearest_rows_and_how_near_they_are(found):
    store, _, ref = found
    rows = list(read_rows(store.folder(ref), NEIGHBOURS))
    best = {row["item"]: row for row in rows if row["rank"] == 1}
    assert best["same"]["row_id"] == best["near"]["row_id"] == "r0"
    assert best["same"]["share"] == pytest.approx(1.0, abs=1e-4)  # the item itself: a row of its very words
    assert 0.3 < best["near"]["share"] < 0.95
    assert "far" not in best or best["far"]["share"] < 0.2
    assert all(row["rank"] <= 2 for row in rows)
    assert [row["score"] for row in rows if row["item"] == "near"] == sorted(
        (row["score"] for row in rows if row["item"] == "near"), reverse=True
    )


def test_other_records_or_items_are_other_neighbours(found):
    _, (records, items), _ = found
    config = NearestConfig()
    keys = {nearest_identity(config, *refs).key for refs in ((records, items), (items, records), (records, records))}
    assert len(keys) == 3


def test_blocks_change_who_is_near_no_more_than_rounding_does(found):
    """Every row in a block of its own: the item's own words are still its nearest row."""
    store, (records, items), whole = found
    folder, asked = store.folder(records), list(read_rows(store.folder(items)))
    rows = list(nearest_rows(folder, asked, NearestConfig(k=2), RetrieveRuntime(), block_characters=1))
    best = {row["item"]: row for row in rows if row["rank"] == 1}
    assert best["same"]["row_id"] == "r0" and best["same"]["share"] == pytest.approx(1.0, abs=1e-4)
    assert {row["item"] for row in rows} == {row["item"] for row in read_rows(store.folder(whole))}
    assert all(len([row for row in rows if row["item"] == name]) <= 2 for name in best)


def test_rows_are_counted_as_items_are_looked_for_in_their_block(found):
    store, (records, items), _ = found
    folder, asked, seen = store.folder(records), list(read_rows(store.folder(items))), []
    list(nearest_rows(folder, asked, NearestConfig(), RetrieveRuntime(), block_characters=1, report=seen.append))
    assert seen == [0, 0, 1, 1, 1, 2, 2, 2, 3]  # three rows, a block each, and three items


def test_rows_without_a_word_are_near_to_nothing(tmp_path):
    rows = [
        {"row_id": f"r{n}", "source": "s", "origin": f"s:{n}", "text": text, "messages": None}
        for n, text in enumerate(("", "the of", "..."))
    ]
    write_rows(tmp_path, rows, RECORDS)
    asked = [{"benchmark": "b", "item": "i", "text": "the zebra"}]
    assert list(nearest_rows(tmp_path, asked, NearestConfig(), RetrieveRuntime())) == []

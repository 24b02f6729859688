"""Benchmark items and training rows, as artifacts and as values."""

import pytest

from tasks.core.identity import Identity
from tasks.core.rows import ITEMS, RECORDS, write_rows
from tasks.decontaminate.config import DecontaminateConfig
from tasks.decontaminate.index import build_index
from tasks.decontaminate.overlap import Matcher


@pytest.fixture
def record():
    def make(row_id, *contents):
        roles = ("system", "user", "assistant")[-len(contents) :]
        messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
        whole = {"text": contents[0], "messages": None} if len(contents) == 1 else {"text": None, "messages": messages}
        return {"row_id": row_id, "source": "s", "origin": f"f:{row_id}", **whole}

    return make


@pytest.fixture
def publish():
    def make(store, rows, name):
        columns = ITEMS if rows and "benchmark" in rows[0] else RECORDS

        def build(draft):
            draft.num_rows, draft.columns = write_rows(draft.folder, rows, columns), columns

        return store.produce(Identity.of("given", 1, {"name": name}, {}), build)

    return make


@pytest.fixture
def ratios():
    """Return what a text holds of items given as {item: text} or as rows, from `least` on, by item."""

    def make(items, text, config=None, least=0.01):
        config = config or DecontaminateConfig()
        rows = [("b", item, of) for item, of in items.items()] if isinstance(items, dict) else items
        index = build_index(rows, config)
        return {index.items[found.item].item: found for found in Matcher(index).overlaps(text, least)}

    return make

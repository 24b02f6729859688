"""Records to deduplicate."""

import pytest

from tasks.core.identity import Identity
from tasks.core.rows import RECORDS, write_rows


@pytest.fixture
def record():
    def make(row_id, text, source="s", origin="f:1"):
        return {"row_id": row_id, "source": source, "origin": origin, "text": text, "messages": None}

    return make


@pytest.fixture
def publish():
    def make(store, rows, name="a"):
        def build(draft):
            draft.num_rows, draft.columns = write_rows(draft.folder, rows, RECORDS), RECORDS

        return store.produce(Identity.of("ingest", 1, {"name": name}, {}), build)

    return make

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.rows import PACKS, PLAN, RECORDS, RowWriter, read_rows, shards, write_rows

texts = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(texts, texts), max_size=30), shard_rows=st.integers(1, 7), batch_rows=st.integers(1, 9))
def test_rows_come_back_as_they_went_in(tmp_path_factory, rows, shard_rows, batch_rows):
    folder = tmp_path_factory.mktemp("rows")
    records = [
        {"row_id": f"{n}", "source": a, "origin": "f:1", "text": None, "messages": [{"role": "user", "content": b}]}
        for n, (a, b) in enumerate(rows)
    ]
    with RowWriter(folder, RECORDS, shard_rows=shard_rows, batch_rows=batch_rows) as writer:
        for record in records:
            writer.write(record)
    assert writer.count == len(records)
    assert list(read_rows(folder)) == records
    assert len(shards(folder)) == max(1, -(-len(records) // shard_rows))


def test_an_empty_table_is_a_table(tmp_path):
    assert write_rows(tmp_path, [], PACKS) == 0
    assert list(read_rows(tmp_path)) == []


def test_memory_stays_flat_as_rows_grow(tmp_path):
    def peak(count):
        tracemalloc.start()
        write_rows(tmp_path / str(count), ({"position": n, "source": "s", "sequence": n} for n in range(count)), PLAN)
        sum(1 for _ in read_rows(tmp_path / str(count)))
        _, high = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return high

    peak(1_000)  # imports
    assert peak(60_000) < 2 * peak(6_000)

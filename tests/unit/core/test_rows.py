import tracemalloc
from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.rows import (
    OUTCOMES,
    PACKS,
    PLAN,
    RECORDS,
    RowWriter,
    arrow_schema,
    read_rows,
    regrouped,
    shards,
    write_kept,
    write_rows,
)
from tasks.core.store import content_digest

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


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(texts, st.none() | st.lists(st.integers(0, 9), max_size=3)), max_size=40),
       cuts=st.lists(st.integers(0, 40), max_size=5), shard_rows=st.integers(1, 30))  # fmt: skip
def test_tables_say_what_rows_say(tmp_path_factory, rows, cuts, shard_rows):
    one, other = (tmp_path_factory.mktemp("rows") for _ in range(2))
    outcomes = [{"row_id": f"{n}", "text": text, "token_ids": ids} for n, (text, ids) in enumerate(rows)]
    table = pa.Table.from_pylist(outcomes, schema=arrow_schema(OUTCOMES))
    with RowWriter(one, OUTCOMES, shard_rows=shard_rows) as by_row:
        for row in outcomes:
            by_row.write(row)
    with RowWriter(other, OUTCOMES, shard_rows=shard_rows) as by_table:
        for first, last in pairwise([0, *sorted(cuts), len(rows) + 40]):
            by_table.write_table(table[first:last])
    assert by_table.count == by_row.count == len(rows)
    assert list(map(content_digest, shards(other))) == list(map(content_digest, shards(one)))


@given(sizes=st.lists(st.integers(0, 9), max_size=12), rows=st.integers(1, 8))
def test_tables_are_grouped_anew(sizes, rows):
    numbers = iter(range(sum(sizes)))
    tables = [pa.table({"n": pa.array([next(numbers) for _ in range(size)], pa.int64())}) for size in sizes]
    groups = [table["n"].to_pylist() for table in regrouped(tables, rows)]
    assert groups == [list(range(sum(sizes)))[first : first + rows] for first in range(0, sum(sizes), rows)]


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


def test_rows_with_a_reason_are_dropped_with_it(tmp_path):
    drop = {"row_id": "b", "source": "s", "origin": "o", "reason": "cut", "detail": ""}
    kept, reasons = write_kept(
        tmp_path, [{"row_id": "a"}, drop, {"row_id": "c"}, drop | {"row_id": "d"}], {"row_id": "string"}
    )
    assert (kept, reasons) == (2, {"cut": 2})
    assert [row["row_id"] for row in read_rows(tmp_path)] == ["a", "c"]
    assert [(row["row_id"], row["reason"]) for row in read_rows(tmp_path / "dropped")] == [("b", "cut"), ("d", "cut")]

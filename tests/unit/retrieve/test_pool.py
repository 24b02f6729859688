"""The pool: positions, texts and vectors of the rows that may be found."""

from array import array

import numpy as np
import pytest

from tasks.core.errors import IntegrityError
from tasks.core.progress import Tally
from tasks.core.rows import RECORDS, write_rows
from tasks.core.vectors import VECTORS, shard_name
from tasks.retrieve.pool import PoolTexts, placed, vectors_at


def record(row_id, text):
    return {"row_id": row_id, "source": "s", "origin": "o", "text": text, "messages": None}


def write_vectors(folder, ids, shard_rows=2, width=2):
    """Vectors that say which row they are of: its number in the second place."""
    write_rows(folder, [{"row_id": row_id} for row_id in ids], VECTORS)
    values = np.array([[0] * (width - 1) + [int(row_id[1:])] for row_id in ids], dtype=np.float32)
    for number, start in enumerate(range(0, len(ids), shard_rows)):
        np.save(folder / shard_name(number), values[start : start + shard_rows])


@pytest.fixture
def pool(tmp_path):
    """Tables b (rows 3 to 5) and a (rows 0 to 2); row 1 has no text, so no vector."""
    tables = {name: tmp_path / "tables" / name for name in "ba"}
    vectors = {name: tmp_path / "vectors" / name for name in "ba"}
    write_rows(tables["a"], [record("r0", "zero"), record("r1", ""), record("r2", "two")], RECORDS)
    write_rows(tables["b"], [record(f"r{n}", f"text {n}") for n in (3, 4, 5)], RECORDS)
    write_vectors(vectors["a"], ["r0", "r2"])
    write_vectors(vectors["b"], ["r3", "r4", "r5"])
    return tables, vectors


def test_positions_count_through_the_tables_by_name(pool):
    assert [(p.position, p.table, p.record["row_id"]) for p in placed(pool[0])] == [
        (n, "a" if n < 3 else "b", f"r{n}") for n in range(6)
    ]


def test_only_texts_that_may_be_found_are_read(pool):
    told = []
    texts = PoolTexts(pool[0], array("q", [0, 2, 4]), Tally(told.append))
    assert list(texts.texts()) == ["zero", "two", "text 4"] == list(texts.texts())
    assert told == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("positions", [[0, 1, 2, 3, 4, 5], [0, 2, 5], [1, 3, 4], [4], []])
def test_vectors_and_positions_go_together(pool, positions):
    told = []
    base = vectors_at(*pool, array("q", positions), Tally(told.append))
    found = [int(value) for block in base.blocks() for value in block[:, 1]]
    assert found == [n for n in positions if n != 1]
    assert list(base.positions) == found
    assert max(told) == len(found)
    assert (base.rows, base.dimension) == (len(found), 2)


def test_blocks_are_what_faiss_takes(pool):
    for block in vectors_at(*pool, array("q", [0, 2, 3, 5])).blocks():
        assert block.dtype == np.float32
        assert block.flags.c_contiguous


def test_vectors_of_other_rows_are_refused(pool, tmp_path):
    tables, vectors = pool
    write_vectors(tmp_path / "other", ["r3", "r5", "r4"])
    with pytest.raises(IntegrityError, match=r"pool\.b: its vectors are of other rows"):
        vectors_at(tables, {**vectors, "b": tmp_path / "other"}, array("q", [3]))


def test_vectors_of_two_dimensions_are_refused(pool, tmp_path):
    tables, vectors = pool
    write_vectors(tmp_path / "other", ["r3", "r4", "r5"], width=3)
    with pytest.raises(IntegrityError, match=r"dimensions \[2, 3\]"):
        vectors_at(tables, {**vectors, "b": tmp_path / "other"}, array("q", [3]))

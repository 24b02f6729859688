"""The ledger: what is committed stays, what is torn is asked again, what an orphan writes counts for nothing."""

import json

import pyarrow as pa
import pytest

from tasks.core.errors import IntegrityError
from tasks.core.rows import REQUESTS, arrow_schema
from tasks.generate.engine import ANSWERS, Answered, Meters
from tasks.generate.ledger import Ledger, read_table, write_table
from tasks.generate.shards import cut


def requests(count):
    rows = [{"row_id": f"q{n}", "sample": 0, "prompt": "x" * (n * 11 % 70)} for n in range(count)]
    return [pa.Table.from_pylist(rows, schema=arrow_schema(REQUESTS))]


def answered(ledger, shard):
    attempt = ledger.attempt(shard.number, shard.rows)
    rows = [
        {"position": row["position"], "row_id": row["row_id"], "sample": 0, "text": "a"}
        for row in read_table(attempt.requests)
    ]
    return Answered(attempt, write_table(attempt.answers, rows, ANSWERS), Meters(rows=len(rows), output_tokens=3))


def filled(scratch, shards):
    ledger = Ledger(scratch)
    for shard in shards:
        ledger.commit(answered(ledger, shard), {"engine": "1"})
    return ledger


def test_answers_come_back_in_the_order_of_the_requests(tmp_path):
    shards = list(cut(requests(200), 5))
    ledger = filled(tmp_path, reversed(shards))
    assert [row for table in ledger.answers() for row in table["row_id"].to_pylist()] == [f"q{n}" for n in range(200)]
    again = Ledger(tmp_path)
    assert all(shard in again for shard in shards)
    assert again.meters == Meters(rows=200, output_tokens=120)
    assert again.committed[0].engines == {"engine": "1"}


@pytest.mark.parametrize(
    "harm",
    [
        lambda table: table.write_bytes(table.read_bytes()[:-1]),
        lambda table: table.unlink(),
        lambda table: table.with_suffix(".json").write_text('{"shard": 1, "ro'),
        lambda table: table.with_suffix(".json").write_bytes(b"\xff\xfe"),
        lambda table: table.with_suffix(".json").unlink(),
        lambda table: recount(table.with_suffix(".json")),
    ],
)
def test_a_torn_shard_and_no_other_is_asked_again(tmp_path, harm):
    shards = list(cut(requests(12), 4))
    filled(tmp_path, shards)
    harm(tmp_path / "shards" / "000001.parquet")
    ledger = Ledger(tmp_path)
    assert [shard in ledger for shard in shards] == [True, False, True]
    assert len(list((tmp_path / "shards").iterdir())) == 4


def recount(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rows": 3}))


def test_answers_that_change_after_they_were_told_are_not_committed(tmp_path):
    ledger = Ledger(tmp_path)
    late = answered(ledger, next(cut(requests(4), 4)))
    late.attempt.answers.write_bytes(b"by another")
    with pytest.raises(IntegrityError, match="not what the engine wrote"):
        ledger.commit(late, {})
    assert ledger.committed == []


def test_an_orphan_of_a_dead_run_writes_where_nobody_looks(tmp_path):
    shard = next(cut(requests(4), 4))
    old, new = Ledger(tmp_path).attempt(0, shard.rows), Ledger(tmp_path).attempt(0, shard.rows)
    assert old.answers != new.answers
    assert not old.answers.parent.exists()


def test_an_attempt_that_is_renewed_has_a_file_of_its_own(tmp_path):
    ledger = Ledger(tmp_path)
    attempt = ledger.attempt(0, next(cut(requests(4), 4)).rows)
    assert ledger.renew(attempt).answers != attempt.answers
    assert ledger.renew(attempt).requests == attempt.requests


def test_each_row_of_an_attempt_is_asked_alone(tmp_path):
    ledger = Ledger(tmp_path)
    attempt = ledger.attempt(3, next(cut(requests(4), 4)).rows)
    alone = ledger.one_by_one(attempt, losses=2)
    assert [[row["row_id"] for row in read_table(one.requests)] for one in alone] == [["q0"], ["q1"], ["q2"], ["q3"]]
    assert {(one.shard, one.rows, one.losses) for one in alone} == {(3, 1, 2)}

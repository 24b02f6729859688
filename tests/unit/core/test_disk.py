"""A full disk, met for real at /dev/full, and where it cannot be met for real, as the error that it is."""

import errno
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.disk import full_disk_named
from tasks.core.errors import OutageError
from tasks.core.identity import Identity
from tasks.core.rows import PLAN, write_rows
from tasks.core.store import Store

FULL = Path("/dev/full")
IDENTITY = Identity.of("plan", 1, {"name": "x"}, {})
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def write_text():
    with FULL.open("w") as file:
        file.write("x")


def write_parquet():
    with FULL.open("wb") as file:  # never its path: what pyarrow cannot finish it removes, and this is a device
        pq.write_table(pa.table({"n": [1]}), file)


def fill_sqlite():
    database = sqlite3.connect(":memory:")
    database.execute("pragma max_page_count = 2")
    try:
        for n in range(10):
            database.execute(f"create table t{n} (a)")
    finally:
        database.close()


@needs_full
@pytest.mark.parametrize("write", [write_text, write_parquet, fill_sqlite])
def test_a_full_disk_is_an_outage_with_a_remedy(write, tmp_path):
    with pytest.raises(OutageError, match="the disk is full") as caught, full_disk_named(tmp_path):
        write()
    assert str(tmp_path) in caught.value.message
    assert caught.value.exit_code == 5
    assert "free space" in caught.value.remedy


OTHERS = [PermissionError(errno.EACCES, "no"), sqlite3.OperationalError("locked"), ValueError()]


@pytest.mark.parametrize("error", OTHERS)
def test_other_errors_stay_what_they_are(error, tmp_path):
    with pytest.raises(type(error)) as caught, full_disk_named(tmp_path):
        raise error
    assert caught.value is error


ROWS = [{"position": n, "source": "a", "sequence": n} for n in range(5)]


def build(draft):
    (draft.scratch / "kept").write_text("so far")
    draft.num_rows, draft.columns = write_rows(draft.folder, ROWS, PLAN), PLAN


@pytest.mark.parametrize("where", ["os.fsync", "pathlib.Path.rename", "pyarrow.parquet.ParquetWriter.write_table"])
def test_a_disk_that_fills_up_on_the_way_publishes_nothing_half_and_goes_on_once_there_is_room(
    where, tmp_path, monkeypatch
):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    store = Store(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(where, full)
        with pytest.raises(OutageError, match="No space left on device"):
            store.produce(IDENTITY, build)
    assert store.find(IDENTITY) is None
    assert not list((tmp_path / ".staging").iterdir())
    assert (store.scratch(IDENTITY) / "kept").read_text() == "so far"
    assert store.produce(IDENTITY, build).num_rows == 5

import os
import time

import pytest

from tasks.core import digests
from tasks.core.digests import file_digest, input_digest


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file that counts as large and settled."""
    monkeypatch.setattr(digests, "_REMEMBERED_BYTES", 4)
    monkeypatch.setattr(digests, "_SETTLED_SECONDS", 0.0)
    path = tmp_path / "rows.jsonl"
    path.write_text("first")
    return path


def test_a_large_unchanged_file_is_read_once(large, tmp_path, monkeypatch):
    first = input_digest(large, tmp_path / "memory")
    assert first == file_digest(large)
    monkeypatch.setattr(digests, "file_digest", lambda _: pytest.fail("read again"))
    assert input_digest(large, tmp_path / "memory") == first


def test_a_change_that_keeps_size_and_time_is_seen(large, tmp_path):
    first = input_digest(large, tmp_path / "memory")
    before = large.stat()
    time.sleep(0.02)
    large.write_text("other")
    os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert input_digest(large, tmp_path / "memory") == file_digest(large) != first


def test_a_file_written_just_now_is_not_remembered(large, tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_SETTLED_SECONDS", 60.0)
    input_digest(large, tmp_path / "memory")
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"seen": 1}'])
def test_a_torn_note_is_made_anew(large, tmp_path, torn):
    input_digest(large, tmp_path / "memory")
    [note] = (tmp_path / "memory").iterdir()
    note.write_text(torn)
    assert input_digest(large, tmp_path / "memory") == file_digest(large)
    assert len(note.read_text()) > len(torn)


def test_an_unwritable_memory_changes_nothing(large, tmp_path):
    (tmp_path / "memory").write_text("a file in the way")
    assert input_digest(large, tmp_path / "memory") == file_digest(large)

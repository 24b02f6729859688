"""The journal: nothing twice, nothing lost, whatever the moment of a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import IntegrityError
from tasks.track.journal import Entry, Journal

names = st.text(max_size=8)
entries = st.lists(
    st.builds(
        Entry,
        kind=st.sampled_from(["run", "params", "metrics"]),
        run=names,
        body=st.dictionaries(names, st.floats(allow_nan=False, allow_infinity=False) | names, max_size=3),
    ),
    max_size=6,
    unique_by=lambda entry: entry.digest,
)


def said(journal: Journal) -> list[str]:
    return [entry.digest for entry in journal.entries()]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "deep" / "j.jsonl")


def entry(run: str = "r", **body) -> Entry:
    return Entry(kind="params", run=run, body=body)


def test_no_file_is_an_empty_journal(journal: Journal):
    assert journal.entries() == []
    assert not journal.path.parent.exists()


def test_the_same_is_written_once_and_keeps_its_first_time(journal: Journal):
    assert journal.append([entry(a=1), entry(a=1), entry(a=2)]) == 2
    first = journal.path.read_bytes()
    assert journal.append([entry(a=2), entry(a=1)]) == 0
    assert journal.path.read_bytes() == first
    assert all(one.time > 0 for one in journal.entries())


@settings(max_examples=150)
@given(before=entries, after=entries, cut=st.floats(0, 1))
def test_any_kill_point_loses_nothing_and_doubles_nothing(before, after, cut):
    """Cut the file at any byte of what the second writer wrote; run it again; the journal is as if never cut."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "j.jsonl")
        journal.append(before)
        safe = journal.path.stat().st_size
        journal.append(after)
        whole, text = said(journal), journal.path.read_bytes()
        journal.path.write_bytes(text[: safe + round(cut * (len(text) - safe))])
        kept = said(journal)
        assert kept == whole[: len(kept)] and len(kept) >= len(before)
        journal.append(after)
        assert said(journal) == whole
        assert journal.path.read_bytes().endswith(b"\n") or not whole


@settings(max_examples=50)
@given(st.lists(entries, max_size=4))
def test_appending_in_parts_is_appending_at_once(parts):
    with tempfile.TemporaryDirectory() as folder:
        apart, once = Journal(Path(folder) / "a"), Journal(Path(folder) / "b")
        for part in parts:
            apart.append(part)
        once.append([one for part in parts for one in part])
        assert said(apart) == said(once)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b'"a": 1', b'"a": 7', 1),
        lambda text: b"not json\n" + text,
        lambda text: b"[]\n" + text,
        lambda text: text.replace(b'"params"', b'"unheard-of"', 1),
        lambda text: text[:10] + b"\n" + text[10:],
    ],
)
def test_damage_to_a_whole_line_is_named(journal: Journal, damage):
    journal.append([entry(a=1), entry(a=2)])
    journal.path.write_bytes(damage(journal.path.read_bytes()))
    with pytest.raises(IntegrityError, match=r"j\.jsonl:1 is damaged") as caught:
        journal.entries()
    assert "run the study again" in caught.value.remedy
    with pytest.raises(IntegrityError):
        journal.append([entry(a=3)])


def test_two_processes_write_every_entry_once(journal: Journal):
    script = (
        "import sys; from pathlib import Path; from tasks.track.journal import Entry, Journal\n"
        "for i in range(40): Journal(Path(sys.argv[1])).append([Entry(kind='params', run='r', body={'i': str(i)})])"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", script, str(journal.path)]
    writers = [subprocess.Popen(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}) for _ in range(2)]
    assert [one.wait(60) for one in writers] == [0, 0]
    assert len(said(journal)) == len(set(said(journal))) == 40

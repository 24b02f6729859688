import json
import signal
import subprocess
import sys
import time

import pytest

from tasks.core.errors import IntegrityError
from tasks.core.identity import Identity
from tasks.core.rows import PLAN, read_rows, write_rows
from tasks.core.store import MANIFEST, Store, content_digest

ROWS = [{"position": n, "source": "a", "sequence": n * 2} for n in range(5)]


def identity(name="x"):
    return Identity.of("plan", 1, {"name": name}, {"pack": "d"})


def build(draft):
    draft.num_rows, draft.columns = write_rows(draft.folder, ROWS, PLAN), PLAN
    (draft.folder / "logs").mkdir()
    (draft.folder / "logs" / "time.txt").write_text(str(time.time()))


def test_what_is_published_is_found_and_reads_the_same(tmp_path):
    store = Store(tmp_path)
    assert store.find(identity()) is None
    ref = store.produce(identity(), build)
    assert store.find(identity()) == ref
    assert list(read_rows(store.folder(ref))) == ROWS
    assert store.manifest(ref).identity == identity()
    assert [found for found, _ in store.manifests("plan")] == [ref]


def test_nothing_is_built_twice(tmp_path):
    store = Store(tmp_path)
    ref = store.produce(identity(), build)
    assert store.produce(identity(), lambda draft: pytest.fail("built again")) == ref


def test_the_digest_leaves_logs_and_dropped_rows_out(tmp_path):
    first = Store(tmp_path / "1").produce(identity(), build)
    second = Store(tmp_path / "2").produce(identity(), build)
    assert first.digest == second.digest


def test_parquet_is_hashed_by_its_rows(tmp_path):
    write_rows(tmp_path / "a", ROWS, PLAN)
    write_rows(tmp_path / "b", ROWS, PLAN)
    write_rows(tmp_path / "c", [*ROWS[:-1], ROWS[0]], PLAN)
    one, same, other = (content_digest(tmp_path / name / "rows-00000.parquet") for name in "abc")
    assert one == same != other


def test_the_digest_of_a_plan_is_pinned(tmp_path):
    """The store's own meaning: should this change, every key downstream changes with it."""
    write_rows(tmp_path, ROWS, PLAN)
    digest = content_digest(tmp_path / "rows-00000.parquet")
    assert digest == "44bcb35bb3d581345a104ada54c6ec6e206a439e6f6d64d899a1811c76537629"


def test_a_builder_that_raises_publishes_nothing_and_keeps_its_scratch(tmp_path):
    store = Store(tmp_path)

    def fails(draft):
        (draft.folder / "half").write_text("x")
        (draft.scratch / "checkpoint").write_text("kept")
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        store.produce(identity(), fails)
    assert store.find(identity()) is None
    assert (store.scratch(identity()) / "checkpoint").read_text() == "kept"

    def resumes(draft):
        assert not list(draft.folder.iterdir())
        assert (draft.scratch / "checkpoint").read_text() == "kept"
        build(draft)

    store.produce(identity(), resumes)
    assert not list(store.scratch(identity()).iterdir())


def edit(file):
    file.write_bytes(file.read_bytes()[:-1] + b"?")  # the same size


HARMS = {
    "truncated": ("rows-00000.parquet", lambda file: file.write_bytes(b"")),
    "removed": ("rows-00000.parquet", lambda file: file.unlink()),
    "edited": ("rows-00000.parquet", edit),
    "torn manifest": (MANIFEST, lambda file: file.write_bytes(file.read_bytes()[:40])),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_artifact_is_an_error_with_a_remedy(tmp_path, harm):
    store = Store(tmp_path)
    ref = store.produce(identity(), build)
    name, damage = HARMS[harm]
    damage(tmp_path / ref.path / name)
    for ask in (lambda: store.find(identity()), lambda: store.folder(ref)):
        with pytest.raises(IntegrityError, match=r"remove .* and run again"):
            ask()


def test_a_folder_without_a_manifest_is_no_artifact(tmp_path):
    store = Store(tmp_path)
    ref = store.produce(identity(), build)
    (store.folder(ref) / MANIFEST).unlink()
    assert store.find(identity()) is None
    assert store.produce(identity(), build) == ref


SLOW_BUILDER = """
import sys, time
from pathlib import Path
from tasks.core.identity import Identity
from tasks.core.rows import PLAN, write_rows
from tasks.core.store import Store

def build(draft):
    with open(sys.argv[2], "a") as log:
        log.write("built\\n")
    time.sleep(float(sys.argv[3]))
    rows = [{"position": n, "source": "a", "sequence": n * 2} for n in range(5)]
    draft.num_rows, draft.columns = write_rows(draft.folder, rows, PLAN), PLAN

Store(Path(sys.argv[1])).produce(Identity.of("plan", 1, {"name": "x"}, {"pack": "d"}), build)
"""


def slow_builder(root, log, seconds):
    return subprocess.Popen([sys.executable, "-c", SLOW_BUILDER, str(root), str(log), str(seconds)])


def test_of_two_at_once_one_builds_and_the_other_reads(tmp_path):
    both = [slow_builder(tmp_path / "s", tmp_path / "log", 0.5) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "built\n"


def test_a_killed_builder_leaves_nothing_and_frees_the_lock(tmp_path):
    victim = slow_builder(tmp_path / "s", tmp_path / "log", 60)
    deadline = time.monotonic() + 60
    while not (tmp_path / "log").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait(timeout=10) == -signal.SIGKILL
    store = Store(tmp_path / "s")
    assert store.find(identity()) is None
    assert store.produce(identity(), build).num_rows == 5


def test_a_manifest_is_readable_json(tmp_path):
    store = Store(tmp_path)
    ref = store.produce(identity(), build)
    manifest = json.loads((store.folder(ref) / MANIFEST).read_text())
    assert manifest["identity"]["stage"] == "plan"
    assert {file["name"] for file in manifest["files"]} == {"rows-00000.parquet", "logs/time.txt"}

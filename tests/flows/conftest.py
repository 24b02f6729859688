"""A real Prefect server for the flows, and the small study in a folder of its own."""

import os
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock
from prefect_server import prefect_api
from small_study import make_small_study, write_base
from taught import make_teacher

__all__ = ["prefect_api"]

#: The files that take longest, so that no worker is left alone with one of them at the end.
LONGEST_FIRST = (
    "test_quickstart", "test_study", "test_recipes", "test_anneal", "test_kills", "test_evaluate_through_generate",
    "test_generate", "test_evaluate", "test_retrieve", "test_benchmark_items", "test_interrupt", "test_track",
)  # fmt: skip

# Each worker of xdist is a machine of its own: a lock of the device that all shared would let one core idle.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    own = Path(tempfile.gettempdir()) / f"assay-{os.getuid()}-{worker}"
    own.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)


def made_once(tmp_path_factory, name, make):
    """Return the folder that `make` makes; the first worker that needs it makes it for all."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with FileLock(shared / f"{name}.lock"):
        return folder if (folder := shared / name).exists() else make(own / f"{name}-unfinished").rename(folder)


@pytest.fixture(scope="session")
def blank(tmp_path_factory):
    """The folder of a model that knows nothing."""
    return made_once(tmp_path_factory, "blank", write_base)


@pytest.fixture(scope="session")
def taught(tmp_path_factory):
    """The folder of a teacher that was taught."""
    return made_once(tmp_path_factory, "taught", make_teacher)


@pytest.fixture
def small_study(tmp_path, prefect_api, blank):
    """The study in a folder of its own; nothing has run yet."""
    return make_small_study(tmp_path, prefect_api, blank)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST_FIRST.index(item.path.stem) if item.path.stem in LONGEST_FIRST else len(items))

"""A real Prefect server for the flows, and the small study in a folder of its own."""

import os
import tempfile
from pathlib import Path

import pytest
from prefect_server import prefect_api
from small_study import make_small_study

__all__ = ["prefect_api"]

# Each worker of xdist is a machine of its own: a lock of the device that all shared would let one core idle.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    own = Path(tempfile.gettempdir()) / f"assay-{os.getuid()}-{worker}"
    own.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)


@pytest.fixture
def small_study(tmp_path, prefect_api):
    """The study in a folder of its own; nothing has run yet."""
    return make_small_study(tmp_path, prefect_api)

"""A real Prefect server for the flows, and the small study in a folder of its own."""

import pytest
from prefect_server import prefect_api
from small_study import make_small_study

__all__ = ["prefect_api"]


@pytest.fixture
def small_study(tmp_path, prefect_api):
    """The study in a folder of its own; nothing has run yet."""
    return make_small_study(tmp_path, prefect_api)

"""Tests of what only a GPU can show; where there is none they are skipped, and say so."""

import pytest
import torch
from prefect_server import prefect_api
from small_study import make_small_study

__all__ = ["prefect_api"]


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:  # of the whole run, other folders' among them
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.fixture
def small_study(tmp_path, prefect_api):
    return make_small_study(tmp_path, prefect_api)

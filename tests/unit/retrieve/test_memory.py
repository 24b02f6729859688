"""A memory budget that says by how much it falls short."""

import resource
import subprocess
import sys

import pytest

from tasks.core.errors import InfrastructureError
from tasks.retrieve.memory import budget, free_bytes, require


def test_too_much_says_by_how_much():
    require("an index", 100, 100, remedy="none")
    with pytest.raises(InfrastructureError, match=r"needs 3\.00 GiB .* 1\.50 GiB are allowed: 1\.50 GiB short"):
        require("an index", 3 << 30, 3 << 29, remedy="shard it")


def test_what_is_declared_is_kept_but_never_more_than_is_free():
    assert budget(1000) == 1000
    assert budget(1 << 60) <= free_bytes() + (1 << 30)
    assert 0 < budget(None) < free_bytes() + (1 << 30)


def test_a_process_limit_counts():
    limit = 1 << 30
    code = "from tasks.retrieve.memory import free_bytes; print(free_bytes())"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert 0 < int(printed.stdout) < limit

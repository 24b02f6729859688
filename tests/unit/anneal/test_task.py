"""The Prefect task: what it passes on, what it retries, and what it does not import."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.anneal.config import AnnealRuntime
from tasks.anneal.task import _machine_failed, anneal_arms
from tasks.core.errors import EngineError, InfrastructureError, IntegrityError
from tasks.core.store import ArtifactRef


class ScriptedEngine:
    """Publishes nothing; says what it was asked for."""

    def anneal(self, jobs, runtime, store_root, report):
        report((runtime.workers, store_root))
        return {job: ArtifactRef(path=job, digest=job, num_rows=0) for job in jobs}


def test_it_returns_the_engines_references():
    said = []
    done = anneal_arms.fn(
        ["control"], AnnealRuntime(workers=2), Path("store"), report=said.append, engine=ScriptedEngine()
    )
    assert done["control"].path == "control"
    assert said == [(2, Path("store"))]


class FailedState:
    def __init__(self, error):
        self._error = error

    async def aresult(self, raise_on_failure):
        return self._error


@pytest.mark.parametrize(
    ("error", "again"),
    [(InfrastructureError("killed"), True), (EngineError("not a number"), False), (IntegrityError("stale"), False)],
)
def test_only_the_machines_failures_are_tried_again(error, again):
    assert asyncio.run(_machine_failed(None, None, FailedState(error))) is again


def test_no_engine_is_imported_with_the_task():
    code = (
        "import sys, tasks.anneal.task\n"
        "print([m for m in ('torch', 'transformers', 'deepspeed', 'ray', 'accelerate', 'pyarrow') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"

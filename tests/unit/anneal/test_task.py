"""The Prefect task: what it passes on, and what it does not import."""

import subprocess
import sys
from pathlib import Path

from tasks.anneal.config import AnnealRuntime
from tasks.anneal.task import anneal_arms
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


def test_no_engine_is_imported_with_the_task():
    code = (
        "import sys, tasks.anneal.task\n"
        "print([m for m in ('torch', 'transformers', 'deepspeed', 'ray', 'accelerate', 'pyarrow') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"

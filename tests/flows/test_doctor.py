"""The doctor on the engines that are installed here: all of them work."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ASSAY = Path(sys.executable).parent / "assay"

pytestmark = [pytest.mark.engine, pytest.mark.slow]  # it starts every engine that other flows start too


def test_every_engine_of_this_machine_works():
    """`--json` has standard output for itself, whatever engines print."""
    done = subprocess.run([ASSAY, "doctor", "--json"], capture_output=True, text=True, timeout=900, check=False)
    findings = json.loads(done.stdout)
    assert [finding for finding in findings if not finding["works"]] == []
    assert done.returncode == 0
    assert {"torch", "ray", "vllm", "prefect", "opencompass"} <= {finding["engine"] for finding in findings}
    assert all(finding["version"] and finding["device"] for finding in findings)

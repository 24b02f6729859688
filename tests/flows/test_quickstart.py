"""The quick start as `make demo` runs it, in a folder and a store of its own: nothing of it is known beforehand."""

import json
import subprocess

import pytest
from small_study import ASSAY, ROOT

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def test_the_quick_start_finds_what_helps_and_what_hurts(tmp_path, prefect_api):
    def assay(*command):
        done = subprocess.run(
            [ASSAY, *command, "--store", tmp_path / "store", "--json"],
            cwd=ROOT, env=prefect_api, capture_output=True, text=True, timeout=3600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    shown = assay("demo", "--folder", tmp_path / "demo")
    verdicts = {candidate["name"]: candidate["verdict"] for candidate in shown["candidates"]}
    assert (verdicts.pop("distilled"), verdicts.pop("wrong-solutions")) == ("helps", "hurts")
    assert verdicts.keys() == {"web-text", "more-of-the-same"}
    assert not {"helps", "hurts"} & set(verdicts.values())
    assert assay("show", "demo") == shown

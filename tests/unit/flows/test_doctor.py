"""The doctor, on engines that are not there: what it says, when it stops waiting, and how it leaves."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from flows import cli, doctor, probes
from flows.study import Runtime
from tasks.evaluate.config import EvaluateRuntime

ROOT = Path(__file__).parents[3]
#: What the architecture's table calls engines and only computes or formats: where one is missing, nothing starts.
LIBRARIES = {"pyarrow", "numpy", "scipy", "Jinja"}


def works():
    return probes.Found("1.2.3", "cpu")


def fails():
    raise RuntimeError("no compiler")


def hangs():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    time.sleep(600)


def crashes():
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_engine_that_works_has_a_version_and_a_device():
    found = doctor.examined("ours", "install it", works)
    assert (found.works, found.version, found.device) == (True, "1.2.3", "cpu")


def test_an_engine_that_fails_says_why_and_the_remedy():
    found = doctor.examined("ours", "install it", fails)
    assert not found.works
    assert found.remedy == "RuntimeError: no compiler; install it"


def test_an_engine_that_hangs_is_ended_with_what_it_started(monkeypatch):
    monkeypatch.setattr(doctor, "DEADLINE_SECONDS", 1.0)
    found = doctor.examined("ours", "install it", hangs)
    assert not found.works and found.remedy == "no answer within 1 s; install it"
    assert 1 <= found.seconds < 20
    assert psutil.Process().children(recursive=True) == []


def test_what_an_engine_leaves_behind_ends_with_its_probe():
    def leaves_a_server():
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)  # left by a probe"])
        return works()

    assert doctor.examined("ours", "install it", leaves_a_server).works
    left = [
        one for one in psutil.process_iter(["cmdline"]) if "# left by a probe" in " ".join(one.info["cmdline"] or ())
    ]
    assert all(one.status() == psutil.STATUS_ZOMBIE for one in left)


def test_an_engine_that_crashes_is_a_finding():
    found = doctor.examined("ours", "install it", crashes)
    assert not found.works and found.remedy == "its process died (exit code -9); install it"


@pytest.mark.parametrize(("probe", "code"), [(works, 0), (fails, 4)])
def test_the_exit_code_says_whether_all_work(monkeypatch, probe, code):
    monkeypatch.setattr(doctor, "examine", lambda _: iter([doctor.examined("ours", "install it", probe)]))
    shown = CliRunner().invoke(cli.app, ["doctor"])
    assert shown.exit_code == code
    assert ("install it" in " ".join(shown.stdout.split())) == bool(code)
    scripted = CliRunner().invoke(cli.app, ["doctor", "--json"])
    assert scripted.exit_code == code
    assert [(one["engine"], one["works"]) for one in json.loads(scripted.stdout)] == [("ours", not code)]


def test_what_an_engine_prints_is_not_among_the_findings(capfd):
    def chatty():
        os.write(1, b"an engine's banner")
        return works()

    assert doctor.examined("ours", "install it", chatty).works
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "an engine's banner")


def test_every_engine_of_the_architecture_is_examined(monkeypatch):
    table = re.findall(r"^\| `\w+` \|.*\| ([^|]+) \|$", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    cells = [re.sub(r"\([^)]*\)|, in its own environment| on Ray actors", "", cell) for cell in table]
    named = {name.strip() for cell in cells for name in re.split(r", or |, ", cell)} - LIBRARIES - {"–"}
    assert {"vLLM", "DeepSpeed", "OpenCompass", "Ray Train", "MLflow"} <= named
    monkeypatch.setattr(doctor, "_apart", lambda _: works())
    examined = {finding.engine for finding in doctor.examine(Runtime())}
    assert {name.lower().removesuffix(" train") for name in named} | {"prefect", "torch"} <= examined


def test_an_evaluation_environment_that_is_not_there_says_how_to_make_it(tmp_path):
    runtime = Runtime(evaluate=EvaluateRuntime(python=str(tmp_path / "python")))
    probe = doctor.examined("opencompass", "make it", lambda: probes.check_opencompass(runtime.evaluate.interpreter))
    assert f"{tmp_path}/python is not there; make it" in probe.remedy


@pytest.mark.parametrize("name", ["rensa", "bm25s"])
def test_a_light_probe_works_here(name):
    assert getattr(probes, f"check_{name}")().version

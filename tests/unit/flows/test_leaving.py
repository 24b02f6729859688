"""Ctrl-C and SIGTERM: the command ends at once with its exit code and its sentence, and leaves no process behind."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

#: `assay` on work of a moment that never ends: a child in a session of its own, with a child that ignores signals.
WORK = """
import subprocess, sys, time
from flows import cli

def app():
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(300)"
    parent = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', sys.argv[1]]).pid, flush=True); " \\
             "import time; time.sleep(300)"
    child = subprocess.Popen([sys.executable, "-c", parent, script], stdout=subprocess.PIPE, start_new_session=True)
    print(child.pid, int(child.stdout.readline()), flush=True)
    time.sleep(300)

cli.app = app
cli.main()
"""


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_with_all_that_it_started(number, code, tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    command = subprocess.Popen([sys.executable, "-c", WORK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    children = [int(pid) for pid in command.stdout.readline().split()]
    assert len(children) == 2 and all(map(alive, children))
    began = time.monotonic()
    command.send_signal(number)
    _, said = command.communicate(timeout=30)
    assert command.returncode == code
    assert time.monotonic() - began < 5
    assert "interrupted what is done is kept; run the same command again to go on" in " ".join(said.split())
    while any(map(alive, children)):
        assert time.monotonic() - began < 5, "a child is left behind"
        time.sleep(0.02)

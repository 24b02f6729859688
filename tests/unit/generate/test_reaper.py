"""The reaper, on real processes: stopped ones, grandchildren whose parents are dead, and nobody else's."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tasks.generate.reaper import MARK, new_mark, reap, reap_orphans

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
#: Starts a child of its own, says its pid and dies.
ORPHAN = "import subprocess as s, sys; print(s.Popen(sys.argv[1:], stdout=s.DEVNULL, stderr=s.DEVNULL).pid)"


@pytest.fixture
def start():
    started = []

    def start(mark):
        started.append(subprocess.Popen(SLEEP, env=os.environ | {MARK: mark}))
        wait_for(started[-1].pid, mark)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for(pid, mark):
    deadline = time.monotonic() + 5
    while psutil.Process(pid).environ().get(MARK) != mark:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_stopped_engine_is_killed_and_another_is_not(start):
    mark, other = new_mark(), new_mark()
    victim, bystander = start(mark), start(other)
    victim.send_signal(signal.SIGSTOP)
    assert reap(mark) == 1
    assert not psutil.pid_exists(victim.pid)
    assert bystander.poll() is None


def test_a_grandchild_left_behind_is_found():
    mark = new_mark()
    command = [sys.executable, "-c", ORPHAN, *SLEEP]
    printed = subprocess.run(command, env=os.environ | {MARK: mark}, capture_output=True, text=True, check=True)
    wait_for(int(printed.stdout), mark)
    assert reap(mark) == 1


def test_engines_of_a_dead_driver_are_orphans_and_those_of_a_living_one_are_not(start):
    host, pid, started, name = new_mark().split("/")
    mine = start("/".join([host, pid, started, name]))
    another = start("/".join([host, pid, "1.5", name]))  # a process of the same id, which is not that driver
    elsewhere = start("/".join(["another-host", "1", "1.5", name]))
    reap_orphans()
    assert not psutil.pid_exists(another.pid)
    assert mine.poll() is None and elsewhere.poll() is None

import os
import subprocess
import sys
import threading
import time

import pytest

from flows import device as module
from flows.device import device
from tasks.core.identity import Identity
from tasks.core.store import Store

HOLDER = """
import sys, time
from pathlib import Path
import tempfile
from flows.device import device
from tasks.core.identity import Identity
from tasks.core.store import Store
tempfile.tempdir = sys.argv[1]
with device(Store(Path(sys.argv[1])), [Identity.of("x", 1, {}, {})]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Another process holds the device."""
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    yield holder
    holder.kill()
    holder.wait()
    holder.stdout.close()


def missing():
    return Identity.of("y", 1, {}, {})


def test_what_is_all_in_the_store_waits_for_nobody(tmp_path, held):
    store = Store(tmp_path)
    store.produce(missing(), lambda draft: (draft.folder / "x").write_text("x"))
    started = time.monotonic()
    with device(store, [missing()]):
        assert time.monotonic() - started < 1


def test_who_waits_says_for_whom_and_goes_on_when_the_holder_dies(tmp_path, held, capsys):
    entered = threading.Event()

    def wait():
        with device(Store(tmp_path), [missing()]):
            entered.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not entered.wait(0.5)
    os.kill(held.pid, 9)
    assert entered.wait(10)
    waiting.join()
    assert f"waiting for process {held.pid}" in capsys.readouterr().err

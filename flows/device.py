"""One GPU stage a machine at a time, whichever study or recipe it belongs to."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.progress import say
from tasks.core.identity import Identity
from tasks.core.store import Store

#: This process, while it holds the device.
_held: list[int] = []


@contextmanager
def device(store: Store, identities: Iterable[Identity]) -> Iterator[None]:
    """Hold this machine's device: one anneal, evaluation or teacher of this user and temporary folder at a time.

    What is all in the store needs none; who holds it already holds it on.
    """
    if _held or all(store.find(identity) is not None for identity in identities):
        yield
        return
    lock = Path(tempfile.gettempdir()) / f"assay-device-{os.getuid()}.lock"
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            say("device", f"waiting for process {file.read() or 'unknown'}, which is at work on this machine's device")
            fcntl.flock(file, fcntl.LOCK_EX)  # the kernel lets go of it when its holder dies
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        _held.append(os.getpid())
        try:
            yield
        finally:
            _held.clear()

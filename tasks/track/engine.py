"""What a tracker has to be able to do, and a stand-in that does it in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tasks.track.journal import Entry


class Tracker(Protocol):
    """A place that shows runs. It remembers by itself how much of each journal it has."""

    @property
    def target(self) -> str:
        """Where it is, without credentials: names the place in messages and in marks."""
        ...

    def holds_data(self) -> bool:
        """Whether it may still hold what it was sent before; False where it is known to be gone."""
        ...

    def replay(self, entries: Sequence[Entry]) -> int:
        """Bring it up to date with a whole journal and return how many entries were new to it.

        Doing so again changes nothing, also after it was cut short.

        Raises:
            EngineError: if it cannot be reached or refuses; what was sent until then stays.
        """
        ...


class ScriptedTracker:
    """A stand-in for tests: keeps entries in memory, and fails after `fail_after` of them."""

    target = "scripted"

    def __init__(self, fail_after: int | None = None) -> None:
        self.fail_after = fail_after
        self.entries: dict[str, list[Entry]] = {}

    def holds_data(self) -> bool:
        return bool(self.entries)

    def replay(self, entries: Sequence[Entry]) -> int:
        from tasks.core.errors import InfrastructureError

        held = self.entries.setdefault(entries[0].run, [])
        new = list(entries[len(held) :])
        for sent, entry in enumerate(new):
            if self.fail_after is not None and sent >= self.fail_after:
                raise InfrastructureError("the scripted tracker failed as told", remedy="none needed")
            held.append(entry)
        return len(new)

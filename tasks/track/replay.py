"""From the journals of a store into a tracker: what is missing there is sent, and a tracker that fails is only late.

Each journal has a mark beside it that says which tracker had how many of its entries. It only saves asking: the tracker
itself knows what it holds, so a lost or stale mark sends nothing twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from tasks.core.errors import EngineError, InfrastructureError, IntegrityError
from tasks.core.store import Store, write_json
from tasks.track.config import TrackedStudy, TrackOutcome
from tasks.track.engine import Tracker
from tasks.track.journal import Entry, Journal

FOLDER = Path("tracking") / "journals"


def record(root: Path, data: TrackedStudy, entries: Iterable[Entry]) -> Journal:
    """Write what is new of a study to its journal under `root`, and return the journal."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", data.study)
    journal = Journal(root / FOLDER / f"{name}-{data.study_hash[:12]}.jsonl")
    journal.append(entries)
    return journal


def replay_all(root: Path, journal: Journal, tracker: Tracker) -> TrackOutcome:
    """Bring a tracker up to date with every journal under `root`, this study's first; never fails for its sake.

    Raises:
        IntegrityError: if this study's own journal is damaged.
    """
    with Store(root).locked("track"):  # two at once would both find a run missing, and make it twice
        return _replay_all(root, journal, tracker)


def _replay_all(root: Path, journal: Journal, tracker: Tracker) -> TrackOutcome:
    entries, sent, warnings = len(journal.entries()), 0, []
    others = sorted(path for path in journal.path.parent.glob("*.jsonl") if path != journal.path)
    for one in [journal, *(Journal(path) for path in others)]:
        try:
            sent += _bring_up_to_date(one, tracker)
        except InfrastructureError as error:  # nobody there: no use in asking for the other journals
            warnings.append(_late(one, error))
            break
        except EngineError as error:
            warnings.append(_late(one, error))
        except IntegrityError as error:
            if one is journal:
                raise
            warnings.append(str(error))
    path = journal.path.relative_to(root).as_posix()
    return TrackOutcome(journal=path, entries=entries, sent=sent, warning="\n".join(warnings))


def _bring_up_to_date(journal: Journal, tracker: Tracker) -> int:
    entries = journal.entries()
    mark = journal.path.with_suffix(".mark")
    wanted = {"target": tracker.target, "entries": len(entries)}
    if not entries or (_read_mark(mark) == wanted and tracker.holds_data()):
        return 0
    sent = tracker.replay(entries)
    write_json(mark, wanted)
    return sent


def _late(journal: Journal, error: EngineError) -> str:
    return f"{journal.path.stem} is not yet tracked: {error.message} ({error.remedy}); the next run sends it"


def _read_mark(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no mark, or none that can be read: the tracker is asked instead
        return None

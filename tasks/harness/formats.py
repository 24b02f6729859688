"""Which format a path is in, found by looking, and its answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.core.errors import DataError
from tasks.core.readers import read_file
from tasks.harness import lm_eval, opencompass, plain
from tasks.harness.answers import Answer, Format, Notes, Reading
from tasks.harness.catalogue import Known

_LINES = (".jsonl", ".ndjson")
_REMEDY = (
    "name an output folder of OpenCompass, one of lm-evaluation-harness that holds samples_*.jsonl (--log_samples), or "
    'a file of JSON lines {"benchmark": "gsm8k", "item": "1", "correct": 1}'
)


def read(path: Path, known: Sequence[Known], notes: Notes) -> Reading:
    """Return the answers at a path, in whatever format they are.

    Raises:
        DataError: if nothing is there, no format fits or several do, or something in it cannot be used.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist", remedy=_REMEDY)
    kind, files = _file(path) if path.is_file() else _folder(path, notes)
    answers = tuple(answer for file in files for answer in _answers(kind, file, known, notes))
    if not answers:
        raise DataError(f"{path} holds no answers", remedy=_REMEDY)
    return Reading(path=path, format=kind, files=tuple(files), answers=answers)


def _answers(kind: Format, file: Path, known: Sequence[Known], notes: Notes) -> Iterator[Answer]:
    if kind == "OpenCompass":
        return opencompass.read_result(file, known, notes)
    if kind == "lm-evaluation-harness":
        return lm_eval.read_log(file, known, notes)
    return plain.read_plain(file, known)


def _folder(path: Path, notes: Notes) -> tuple[Format, list[Path]]:
    logs, model = lm_eval.newest_logs(path, notes), opencompass.model_folder(path, notes)
    lines = sorted(file for file in path.iterdir() if _is_lines(file) and file not in logs)
    found: list[tuple[Format, list[Path]]] = []
    if logs:
        found.append(("lm-evaluation-harness", logs))
    if model:
        found.append(("OpenCompass", opencompass.results_in(model)))
    if lines and not found:
        found.append(("JSON Lines", lines))
    if len(found) == 1:
        return found[0]
    names = sorted(child.name for child in path.iterdir())
    what = " and ".join(kind for kind, _ in found)
    said = f"{path} holds results of {what}" if found else f"{path} holds no results that can be read: {_some(names)}"
    raise DataError(said, remedy="name the folder of one of them" if found else _REMEDY)


def _file(path: Path) -> tuple[Format, list[Path]]:
    if lm_eval.is_log(path):
        return "lm-evaluation-harness", [path]
    if path.suffix == ".json" and opencompass.is_result(path):
        return "OpenCompass", [path]
    if not _is_lines(path):
        raise DataError(f"{path} is in no format that can be read", remedy=_REMEDY)
    first = next((raw.value for raw in read_file(path) if raw.value is not None), {})
    if first.keys() >= lm_eval.FIELDS:
        return "lm-evaluation-harness", [path]
    if first.keys() & plain.FIELDS:  # what is missing is named with its line
        return "JSON Lines", [path]
    raise DataError(f"{path} is in no format that can be read: its rows have {_some(list(first))}", remedy=_REMEDY)


def _is_lines(path: Path) -> bool:
    return path.is_file() and any(suffix in path.suffixes for suffix in _LINES)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"

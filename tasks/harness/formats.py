"""Which format a path is in, found by looking, and its answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError
from tasks.core.readers import lone_surrogate, read_file
from tasks.harness import lm_eval, opencompass, plain
from tasks.harness.answers import Answer, Format, LeftOut, Notes, Reading
from tasks.harness.catalogue import Known

_LINES = (".jsonl", ".ndjson")
_REMEDY = (
    "name an output folder of OpenCompass, one of lm-evaluation-harness that holds samples_*.jsonl (--log_samples), or "
    'a file of JSON lines {"benchmark": "gsm8k", "item": "1", "correct": 1}'
)


def read(path: Path, known: Sequence[Known], notes: Notes) -> Reading:
    """Return the answers at a path, in whatever format they are; a task that cannot be scored is left out, and noted.

    Raises:
        DataError: if nothing is there, no format fits or several do, no task can be scored, or something in it cannot
            be used.
    """
    if lone_surrogate(str(path)):
        raise DataError(f"{str(path)!r}: its name is not UTF-8, so no report can name it", remedy="rename it")
    try:
        return _read(path, known, notes)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}", remedy="see what is there, and who may read it") from error


def _read(path: Path, known: Sequence[Known], notes: Notes) -> Reading:
    if not path.exists():
        raise DataError(f"{path} does not exist", remedy=_REMEDY)
    if not path.is_file() and not path.is_dir():
        raise DataError(
            f"{path} is neither a file nor a folder", remedy="write what it gives into a file, and name that"
        )
    kind, files = _file(path) if path.is_file() else _folder(path, notes)
    answers: list[Answer] = []
    left_out: list[LeftOut] = []
    for file in files:
        found = _answers(kind, file, known, notes)
        if isinstance(found, LeftOut):
            left_out.append(found)
        else:
            answers += map(_checked, found)
    if not answers:
        why = "".join(f"; {one.why}" for one in left_out)
        raise DataError(f"{path} holds no answers that can be scored{why}", remedy=_REMEDY)
    for one in left_out:
        notes.add(one.why)
    return Reading(path=path, format=kind, files=tuple(files), answers=tuple(answers), left_out=tuple(left_out))


def _checked(answer: Answer) -> Answer:
    """Return an answer whose names can be printed and written."""
    named = (("benchmark", answer.benchmark), ("item", answer.item), ("metric", answer.metric))
    if garbled := [f"its {field} is {name!r}" for field, name in named if lone_surrogate(name)]:
        raise DataError(f"{answer.origin}: {garbled[0]}, not UTF-8", remedy="write names whole, as UTF-8")
    return answer


def _answers(kind: Format, file: Path, known: Sequence[Known], notes: Notes) -> Iterable[Answer] | LeftOut:
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
        raise DataError(f"{path} is in no format that can be read{_broken(path)}", remedy=_REMEDY)
    first = _first_row(path)
    if first.keys() >= lm_eval.FIELDS:
        return "lm-evaluation-harness", [path]
    if first.keys() & plain.FIELDS:  # what is missing is named with its line
        return "JSON Lines", [path]
    said = f"its rows have {_some(list(first))}" if first else "it has no rows"
    raise DataError(f"{path} is in no format that can be read: {said}", remedy=_REMEDY)


def _broken(path: Path) -> str:
    """Return why a file that ends in .json holds no JSON; nothing where it does, or does not end so."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        return f": broken JSON: {error}"
    return ""


def _first_row(path: Path) -> dict[str, Any]:
    """Return the first row that can be read, an empty one where there are no rows.

    Raises:
        DataError: if there are rows and none can be read, with what is wrong with the first.
    """
    broken = None
    for raw in read_file(path):
        if raw.value is not None:
            return raw.value
        broken = broken or raw
    if broken is None:
        return {}
    raise DataError(
        f"{path.with_name(broken.origin)}: {broken.reason}: {broken.detail}; no other row can be read either",
        remedy="write one JSON object a line, as UTF-8",
    )


def _is_lines(path: Path) -> bool:
    return path.is_file() and any(suffix in path.suffixes for suffix in _LINES)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"

"""`assay review`: a sample of verdicts for a person to label, and what the labels say of the filter.

Labels live in one CSV file, a row a labelled answer, appended as each is given; so a session can be left and taken up
again.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError
from tasks.core.rows import VERDICTS, read_rows, shards
from tasks.core.store import MANIFEST, Manifest
from tasks.judge.review import Drawn, Name, draw

COLUMNS = (
    "row_id", "sample", "answer_id", "verdict", "method", "gold", "answer", "evidence", "question", "output", "label",
)  # fmt: skip
#: What a person may say of an answer, and what it means; anything else is asked again.
_LABELS = {"y": True, "n": False, "yes": True, "no": False, "1": True, "0": False, "true": True, "false": False}

#: Shows a row, with how many are left, and returns what the person typed.
Ask = Callable[[dict[str, Any], int], str]


def draw_sample(source: Path, size: int, seed: int) -> Drawn:
    """Return a sample of each verdict from published verdicts or from what `assay judge --json` printed.

    Rows of an artifact come with their question and output, where the store still has them.

    Raises:
        DataError: if `source` is neither.
    """
    if source.is_dir() and (source / MANIFEST).exists():
        drawn = draw(read_rows(source, VERDICTS), size, seed)
        _add_texts(drawn.rows, source)
    else:
        drawn = draw(_printed(source), size, seed)
    if not drawn.rows:
        raise DataError(f"{source} holds no verdict", remedy="judge some answers first")
    for row in drawn.rows:
        row["answer_id"] = _answer_id(row)
    return drawn


def _answer_id(row: Mapping[str, Any]) -> str:
    """Return what tells an answer and its gold from others in rows of the same name.

    The texts themselves would not do: a spreadsheet makes dates and decimals of them.
    """
    return "a" + hashlib.sha256(json.dumps([row["gold"], row["answer"]]).encode()).hexdigest()[:12]


def _printed(source: Path) -> Iterator[dict[str, Any]]:
    try:
        rows = json.loads(source.read_text(encoding="utf-8"))["rows"]
        for row in rows:
            yield {**row, "row_id": str(row["line"]), "sample": row["index"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{source} is neither an artifact of verdicts nor what `assay judge --json` prints",
            remedy="give an artifact's folder in the store, such as store/judge/<key>, or a file of that JSON",
        ) from error


def _add_texts(rows: list[dict[str, Any]], folder: Path) -> None:
    """Give each row its question and the output that was judged, from the artifacts that the manifest names."""
    sources, root = _sources(folder), folder.parent.parent
    wanted = {(row["row_id"], row["sample"]): row for row in rows}
    by_row: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_row.setdefault(row["row_id"], []).append(row)
    if "references" in sources:
        for question in _rows_of(root / sources["references"], ["row_id", "question"]):
            for row in by_row.get(question["row_id"], []):
                row["question"] = question["question"]
    if "outcomes" in sources:
        for outcome in _rows_of(root / sources["outcomes"], ["row_id", "sample", "text"]):
            if (outcome["row_id"], outcome["sample"]) in wanted:
                wanted[outcome["row_id"], outcome["sample"]]["output"] = outcome["text"]


def _sources(folder: Path) -> dict[str, str]:
    """Return what verdicts were made of; settled ones were made of others."""
    sources = Manifest.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8")).sources
    rules = folder.parent.parent / sources.get("verdicts", "")
    return _sources(rules) if "verdicts" in sources and (rules / MANIFEST).exists() else sources


def _rows_of(folder: Path, columns: list[str]) -> Iterable[dict[str, Any]]:
    return read_rows(folder, columns) if shards(folder) else ()


def write_sheet(path: Path, drawn: Drawn) -> None:
    """Write a sample as a CSV for a person to fill in: the column `label` takes y (the answer is right) or n.

    Raises:
        DataError: if the file is there already: it may hold labels.
    """
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            sheet = csv.DictWriter(file, COLUMNS, extrasaction="ignore", restval="", lineterminator="\n")
            sheet.writeheader()
            sheet.writerows(drawn.rows)
    except FileExistsError as error:
        message = f"{path} is there already and may hold labels"
        raise DataError(message, remedy="name another file, or give it back with --labels") from error
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}", remedy="name a file that can") from error


def read_labels(path: Path, drawn: Drawn) -> dict[Name, bool]:
    """Return what a person said of each labelled answer; none where the file is not there yet.

    Raises:
        DataError: if it is not such a file, holds a label that means nothing, or labels other answers than those drawn:
            other verdicts may have rows of the same names.
    """
    if not path.exists():
        return {}
    csv.field_size_limit(1 << 30)
    rows = {(str(row["row_id"]), int(row["sample"])): row for row in drawn.rows}
    labels = dict[Name, bool]()
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            label = (row.get("label") or "").strip().casefold()
            if not label:
                continue
            try:
                name = str(row["row_id"]), int(row["sample"])
                labels[name] = _LABELS[label]
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f"{path}, row {number}: cannot be read as a label ({error})",
                    remedy="its columns are row_id, sample and label; a label is y or n",
                ) from error
            if name in rows and row.get("answer_id") not in (None, "", rows[name]["answer_id"]):
                raise DataError(
                    f"{path}, row {number}: this label is of another answer than {name[0]}, sample {name[1]}, has here",
                    remedy="these are labels of other verdicts: name another file with --labels",
                )
    return labels


def ask_labels(drawn: Drawn, path: Path, ask: Ask) -> dict[Name, bool]:
    """Ask a person about every drawn row that has no label yet; return all labels, each on disk once given.

    Args:
        path: the file of labels; begun if need be.
        ask: shows a row and returns ``y``, ``n``, ``s`` (skip it) or ``q`` (stop here).
    """
    labels = read_labels(path, drawn)
    unlabelled = [row for row in drawn.rows if (row["row_id"], row["sample"]) not in labels]
    with path.open("a", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, _columns(path), extrasaction="ignore", restval="", lineterminator="\n")
        if file.tell() == 0:
            sheet.writeheader()
        for left, row in zip(range(len(unlabelled), 0, -1), unlabelled, strict=True):
            said = ask(row, left).strip().casefold()
            while said not in (*_LABELS, "s", "q"):
                said = ask(row, left).strip().casefold()
            if said == "q":
                break
            if said != "s":
                labels[row["row_id"], row["sample"]] = _LABELS[said]
                sheet.writerow({**row, "label": "y" if _LABELS[said] else "n"})
                file.flush()
                os.fsync(file.fileno())
    return labels


def _columns(path: Path) -> list[str]:
    """Return the columns that a file has, or those of a new one."""
    if not path.exists() or path.stat().st_size == 0:
        return list(COLUMNS)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader(file))

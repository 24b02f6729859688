"""A source as a stream of raw rows with an identity, wherever it lives, and the checks that need no run."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Generator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path

from tasks.core.digests import input_digest
from tasks.core.errors import DataError
from tasks.core.identity import Identity
from tasks.core.readers import Raw, file_format, read_file
from tasks.ingest import hub
from tasks.ingest.config import STAGE_VERSION, RecordField, SourceConfig
from tasks.ingest.shapes import find_columns

_PEEK_ROWS = 20
#: What `glob.escape` makes of a character.
_ESCAPED = re.compile(r"\[([*?[])\]")


def files(source: SourceConfig) -> list[Path]:
    """Return the files of a file source, in order: the file of that very name, else those that it matches as a glob.

    The study's folder stands before a relative name with its own glob characters escaped; the file's name may have
    some too.

    Raises:
        DataError: if there is none, or one is in no known format.
    """
    pattern = source.file or ""
    literal = [path for path in (Path(pattern), Path(_ESCAPED.sub(r"\1", pattern))) if path.is_file()]
    found = literal[:1] or sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207 - absolute globs
    if not found:
        raise DataError(f"{source.file}: no such file", remedy="paths are relative to the study file; check the name")
    for path in found:
        if path.is_dir():
            raise DataError(f"{path}: a folder", remedy=f"name its files: {path}/*")
        file_format(path)
    return found


def identity(source: SourceConfig) -> Identity:
    """Return the identity of what ingesting a source makes: its name and columns, and its files' digests."""
    config = {"name": source.name, "columns": source.columns}
    if source.hub is not None:
        inputs = {"hub": hub.digest(source.hub)}
    else:
        inputs = {f"file-{index:05d}": input_digest(path) for index, path in enumerate(files(source))}
    return Identity.of("ingest", STAGE_VERSION, config, inputs)


def raw_rows(source: SourceConfig) -> Generator[Raw, None, None]:
    """Yield every raw row of a source, in order.

    The origin of a file's row starts at the folder that all files of the source share: files of a glob may have one
    name, and where the folder lies changes no record.
    """
    if source.hub is not None:
        yield from hub.read(source.hub)
        return
    found = files(source)
    shared = os.path.commonpath([path.parent for path in found])
    for path in found:
        folder = "".join(f"{part}/" for part in path.parent.relative_to(shared).parts)
        for raw in read_file(path):
            yield raw._replace(origin=folder + raw.origin)


def columns_of(source: SourceConfig) -> dict[RecordField, str]:
    """Return the columns that hold the source's fields, looking at no more than its first rows.

    Raises:
        DataError: if a declared column, or every known shape, is missing, or none of those rows can be read.
    """
    with closing(raw_rows(source)) as rows:
        first = list(islice(rows, _PEEK_ROWS))
    names = {name for raw in first for name in raw.value or ()}
    if not names:
        raise _nothing_read(source, first)
    columns = dict(source.columns) or find_columns(names)
    missing = ["messages, question and answer, or text"]
    if columns:  # of a way into a nested column, the first step
        missing = sorted(name for name in columns.values() if not {name, name.partition(".")[0]} & names)
    if columns is None or missing:
        raise DataError(
            f"{source.name}: no column {', '.join(missing)}",
            remedy=f"name the columns with `columns:`; the first rows have {', '.join(sorted(names))}",
        )
    return columns


def _nothing_read(source: SourceConfig, first: list[Raw]) -> DataError:
    bad = [raw for raw in first if raw.value is None]
    if not bad:
        what = "its first rows have no columns" if first else "it has no rows"
        return DataError(f"{source.name}: {what}", remedy="check that it is the file you meant")
    return DataError(
        f"{source.name}: none of its first rows can be read; {bad[0].origin}: {bad[0].reason} ({bad[0].detail})",
        remedy="a row is an object with named columns: in .jsonl one on each line, in .json one array of them",
    )


def check_dropped(source: SourceConfig, num_rows: int, reasons: Mapping[str, int], dropped: Path) -> None:
    """Refuse a source of which too much was dropped.

    A cached artifact needs the check too: `max_dropped` is not part of its identity, so it may have been lowered since.

    Args:
        num_rows: how many rows became records.
        reasons: how many rows were dropped, by reason.
        dropped: where they lie, for the message.

    Raises:
        DataError: if no row can be used, or more than the declared share of them cannot.
    """
    count = sum(reasons.values())
    if num_rows == 0 or count > source.max_dropped * (num_rows + count):
        by_reason = sorted(reasons.items(), key=lambda item: -item[1])
        counts = ", ".join(f"{number} {reason}" for reason, number in by_reason) or "it has no rows"
        raise DataError(
            f"{source.name}: {count} of {num_rows + count} rows cannot be used ({counts})",
            remedy=f"see {dropped}; mend the file, or raise the source's `max_dropped` above {source.max_dropped}",
        )

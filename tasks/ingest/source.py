"""A source as a stream of raw rows with an identity, wherever it lives, and the checks that need no run."""

from __future__ import annotations

import glob
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from pathlib import Path

from tasks.core.digests import input_digest
from tasks.core.errors import DataError
from tasks.core.identity import Identity
from tasks.ingest import hub
from tasks.ingest.config import STAGE_VERSION, RecordField, SourceConfig
from tasks.ingest.readers import Raw, file_format, read_file
from tasks.ingest.shapes import find_columns

_PEEK_ROWS = 20


def files(source: SourceConfig) -> list[Path]:
    """Return the files of a file source, in order.

    Raises:
        DataError: if there is none, or one is in no known format.
    """
    found = sorted(Path(path) for path in glob.glob(source.file or "", recursive=True))  # noqa: PTH207 - absolute globs
    if not found:
        raise DataError(f"{source.file}: no such file", remedy="paths are relative to the study file; check the name")
    for path in found:
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
    """Yield every raw row of a source, in order."""
    if source.hub is not None:
        yield from hub.read(source.hub)
    else:
        for path in files(source):
            yield from read_file(path)


def columns_of(source: SourceConfig) -> dict[RecordField, str]:
    """Return the columns that hold the source's fields, looking at no more than its first rows.

    Raises:
        DataError: if a declared column, or every known shape, is missing.
    """
    names: set[str] = set()
    with closing(raw_rows(source)) as rows:
        for raw in islice(rows, _PEEK_ROWS):
            names.update(raw.value or ())
    columns = dict(source.columns) or find_columns(names)
    missing = sorted(set(columns.values()) - names) if columns else ["messages, question and answer, or text"]
    if columns is None or missing:
        raise DataError(
            f"{source.name}: no column {', '.join(missing)}",
            remedy=f"name the columns with `columns:`; the first rows have {', '.join(sorted(names)) or 'none'}",
        )
    return columns

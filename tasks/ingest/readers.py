"""Files into raw rows, one at a time, whatever is wrong with them.

A reader yields `Raw` rows: a value, or the reason why there is none. Only what makes the rest of a file unreadable is
an error; everything else is a row with a reason, so that it can be dropped on the record.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from tasks.core.errors import DataError

FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_COMPRESSED = (".gz", ".zst")


class Raw(NamedTuple):
    """One row as it was found: where, and its value or the reason why it has none."""

    origin: str
    value: dict[str, Any] | None
    reason: str = ""
    detail: str = ""


def file_format(path: Path) -> str:
    """Return which of `FORMATS` a file is in, by its name, compression left aside.

    Raises:
        DataError: if its name has none of them.
    """
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in _COMPRESSED]
    if not suffixes or suffixes[-1] not in FORMATS:
        raise DataError(
            f"{path}: not a format that can be read",
            remedy=f"convert it to one of {', '.join(FORMATS)}, plain or with {' or '.join(_COMPRESSED)} behind",
        )
    return suffixes[-1]


def read_file(path: Path) -> Iterator[Raw]:
    """Yield every row of a file, good and bad.

    Raises:
        DataError: if the file as a whole cannot be read (unknown format, torn compression, a JSON array cut short).
    """
    kind = file_format(path)
    reader = {".json": _json, ".csv": _csv, ".tsv": _tsv, ".parquet": _parquet}.get(kind, _jsonl)
    try:
        with _opened(path) as stream:
            yield from reader(stream, path)
    except (EOFError, OSError, gzip.BadGzipFile, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {error}", remedy="check that it was copied whole") from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        if path.suffix.lower() == ".gz":
            with gzip.open(file) as stream:
                yield stream  # type: ignore[misc]
        elif path.suffix.lower() == ".zst":
            import zstandard

            try:
                with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
                    yield io.BufferedReader(stream)
            except zstandard.ZstdError as error:
                raise EOFError(str(error)) from error
        else:
            yield file


def _jsonl(stream: IO[bytes], path: Path) -> Iterator[Raw]:
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield _parse_line(line, f"{path.name}:{number}")


def _parse_line(line: bytes, origin: str) -> Raw:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return Raw(origin, None, "invalid UTF-8", str(error))
    except (json.JSONDecodeError, RecursionError) as error:
        return Raw(origin, None, "broken JSON", str(error))
    return _object(value, origin)


def _object(value: object, origin: str) -> Raw:
    if not isinstance(value, dict):
        return Raw(origin, None, "not an object", f"a JSON {type(value).__name__}")
    return Raw(origin, value)


def _json(stream: IO[bytes], path: Path) -> Iterator[Raw]:
    import ijson

    try:
        for number, value in enumerate(ijson.items(stream, "item", use_float=True), start=1):
            yield _object(value, f"{path.name}:{number}")
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: broken JSON, and nothing after it can be read: {error}",
            remedy="mend the array, or convert it to JSON Lines, where one bad row costs one row",
        ) from error


def _csv(stream: IO[bytes], path: Path, delimiter: str = ",") -> Iterator[Raw]:
    # Invalid bytes survive as lone surrogates, so that they cost their own row and no other.
    with io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.DictReader(text, delimiter=delimiter)
        for row in reader:
            origin = f"{path.name}:{reader.line_num}"
            if None in row or None in row.values():
                yield Raw(origin, None, "wrong number of columns", f"the header has {len(reader.fieldnames or ())}")
            else:
                yield Raw(origin, dict(row))


def _tsv(stream: IO[bytes], path: Path) -> Iterator[Raw]:
    return _csv(stream, path, delimiter="\t")


def _parquet(stream: IO[bytes], path: Path) -> Iterator[Raw]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryFile() as seekable:  # Parquet is read from its end, which a compressed stream does not have
        if path.suffix.lower() in _COMPRESSED:
            shutil.copyfileobj(stream, seekable)
            stream = seekable
        try:
            number = 0
            for batch in pq.ParquetFile(stream).iter_batches(batch_size=1000):
                for index in range(batch.num_rows):
                    number += 1
                    yield _arrow_row(batch.slice(index, 1), f"{path.name}:{number}")
        except pa.ArrowException as error:
            raise DataError(f"{path}: not a whole Parquet file: {error}", remedy="write or copy it again") from error


def _arrow_row(row: Any, origin: str) -> Raw:
    try:
        return Raw(origin, row.to_pylist()[0])
    except UnicodeDecodeError as error:
        return Raw(origin, None, "invalid UTF-8", str(error))

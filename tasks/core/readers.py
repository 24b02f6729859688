"""Files into raw rows, one at a time, whatever is wrong with them.

A reader yields `Raw` rows: a value, or the reason why there is none. Only what makes the rest of a file unreadable is
an error (torn compression, a JSON array or a CSV quote left open); everything else is a row with a reason, so that it
can be dropped on the record. A byte-order mark is read over in every format.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.errors import DataError

FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_COMPRESSED = (".gz", ".zst")
#: In characters. The `csv` module's own, 128 Ki, is less than a chapter; one of a quote left open must end somewhere.
_LARGEST_FIELD = 1 << 26
_SURROGATE = re.compile("[\ud800-\udfff]")


class Raw(NamedTuple):
    """One row as it was found: its value, or the reason why it has none.

    `origin` is where it was found, as ``name:number``: the line at which it begins in JSON Lines, CSV and TSV, else the
    how-manieth row it is.
    """

    origin: str
    value: dict[str, Any] | None
    reason: str = ""
    detail: str = ""


def lone_surrogate(text: str) -> bool:
    """Whether a text holds half of a surrogate pair, which is no character: no file and no terminal takes it."""
    return _SURROGATE.search(text) is not None


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
    except (EOFError, OSError) as error:
        raise DataError(f"{path}: cannot be read: {error}", remedy="check that it was copied whole") from error


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    with path.open("rb") as file:
        kind = path.suffix.lower()
        if kind in _COMPRESSED and not file.peek(1):
            raise EOFError("it is empty, and a compressed file never is")
        if kind == ".gz":
            with gzip.open(file) as stream:
                yield io.BufferedReader(stream)
        elif kind == ".zst":
            import pyarrow as pa

            # Unlike zstandard's, pyarrow's stream says so where the file ends before its last frame does.
            yield io.BufferedReader(pa.CompressedInputStream(file, "zstd"))
        else:
            yield file


def _jsonl(stream: io.BufferedReader, path: Path) -> Iterator[Raw]:
    lines = ((number, line) for number, line in enumerate(stream, start=1) if line.strip())
    for index, (number, line) in enumerate(lines):
        if index == 0 and line.strip(codecs.BOM_UTF8 + b" \t\r\n") in (b"{", b"["):
            raise DataError(
                f"{path}:{number}: a JSON value over several lines, and JSON Lines has one row a line",
                remedy="write each row on one line, or one array of rows in a file that ends in .json",
            )
        yield _parse_line(line, f"{path.name}:{number}")


def _parse_line(line: bytes, origin: str) -> Raw:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return Raw(origin, None, "invalid UTF-8", str(error))
    except (ValueError, RecursionError) as error:  # the former also of a number with more digits than Python reads
        return Raw(origin, None, "broken JSON", str(error))
    return _object(value, origin)


def _object(value: object, origin: str) -> Raw:
    if not isinstance(value, dict):
        return Raw(origin, None, "not an object", f"a JSON {type(value).__name__}")
    return Raw(origin, value)


def _json(stream: io.BufferedReader, path: Path) -> Iterator[Raw]:
    import ijson

    if stream.peek(3).startswith(codecs.BOM_UTF8):
        stream.read(3)
    if stream.peek(1).lstrip().startswith(b"{"):
        raise DataError(
            f"{path}: a JSON object, not an array of rows",
            remedy="write the rows as one array, or one row a line in a file that ends in .jsonl",
        )
    try:
        for number, value in enumerate(ijson.items(stream, "item", use_float=True), start=1):
            yield _object(value, f"{path.name}:{number}")
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: broken JSON, and nothing after it can be read: {error}",
            remedy="mend the array, or convert it to JSON Lines, where one bad row costs one row",
        ) from error


def _csv(stream: io.BufferedReader, path: Path, delimiter: str = ",") -> Iterator[Raw]:
    csv.field_size_limit(_LARGEST_FIELD)
    first = 1  # the line that a row begins at; a quoted field may span several
    # Invalid bytes survive as lone surrogates, so that they cost their own row and no other.
    with io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            header = next(reader, [])
            _check_header(header, path)
            first = reader.line_num + 1
            for cells in reader:
                if cells:  # a blank line has none
                    yield _csv_row(header, cells, f"{path.name}:{first}")
                first = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{path}: the quotes of the row at line {first} do not pair, and nothing after it can be read: "
                f"{error} (line {reader.line_num})",
                remedy="close the quote, and write a quote inside quotes twice; or convert the file to JSON Lines",
            ) from error


def _check_header(names: Sequence[str], path: Path) -> None:
    if any(lone_surrogate(name) or "\0" in name for name in names):
        raise DataError(f"{path}: its first line is not UTF-8 text", remedy="save it as UTF-8")
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise DataError(f"{path}: two columns are called {twice!r}", remedy="give each column a name of its own")


def _csv_row(header: Sequence[str], cells: Sequence[str], origin: str) -> Raw:
    if len(cells) != len(header):
        return Raw(origin, None, "wrong number of columns", f"the header has {len(header)}")
    return Raw(origin, dict(zip(header, cells, strict=True)))


def _tsv(stream: io.BufferedReader, path: Path) -> Iterator[Raw]:
    return _csv(stream, path, delimiter="\t")


def _parquet(stream: io.BufferedReader, path: Path) -> Iterator[Raw]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryFile() as seekable:  # Parquet is read from its end, which a compressed stream does not have
        if path.suffix.lower() in _COMPRESSED:
            shutil.copyfileobj(stream, seekable)
        try:
            number = 0
            table = pq.ParquetFile(seekable if path.suffix.lower() in _COMPRESSED else stream)
            for batch in table.iter_batches(batch_size=1000):
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
    except (ValueError, OverflowError) as error:  # such as a date that Python has none of
        return Raw(origin, None, "unreadable value", str(error))

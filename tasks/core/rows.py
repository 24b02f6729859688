"""The tables that stages exchange, and how they are written: Parquet shards, streamed.

Every table is read and written a batch at a time, so memory stays flat however many rows there are. pyarrow is imported
when a table is opened, so that a flow can be imported without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
Columns = dict[str, str]

SHARD_ROWS = 50_000
_BATCH_ROWS = 2_000

_MESSAGES = "list<struct<role: string, content: string>>"
_MATCHES = "list<struct<query: string, score: double, rank: int64>>"

#: One training document. `row_id` is its own for life; `origin` is where it was read (``file:line``). It has either
#: `text` or `messages`.
RECORDS: Columns = {
    "row_id": "string", "source": "string", "origin": "string", "text": "string", "messages": _MESSAGES,
}  # fmt: skip

#: One question to be answered, with its reference answer where it has one (null where it has none).
QUESTIONS: Columns = {
    "row_id": "string", "source": "string", "origin": "string", "question": "string", "reference": "string",
}  # fmt: skip

#: One request to a language model: `sample` tells apart requests of one row. It has either `messages`, rendered by the
#: model's chat template, or `prompt`, sent as it stands.
REQUESTS: Columns = {"row_id": "string", "sample": "int64", "messages": _MESSAGES, "prompt": "string"}

#: What a language model made of one request. `finish` is ``stop``, ``length`` (cut at the limit, so not a whole answer)
#: or ``scored`` (nothing was generated). The last four columns are null unless they were asked for: the tokens whose
#: log-probabilities (natural) follow, and for each of them the k most probable ones, end to end, best first.
OUTCOMES: Columns = {
    "row_id": "string", "sample": "int64", "text": "string", "finish": "string", "prompt_tokens": "int64",
    "output_tokens": "int64", "token_ids": "list<int32>", "token_logprobs": "list<float>", "top_ids": "list<int32>",
    "top_logprobs": "list<float>",
}  # fmt: skip

#: What was found of one answer: `answer` is what was extracted from it (null where nothing was), `verdict` is
#: ``right``, ``wrong`` or ``undecided``, `method` what decided, `evidence` what it saw.
VERDICTS: Columns = {
    "row_id": "string", "sample": "int64", "answer": "string", "gold": "string", "verdict": "string",
    "method": "string", "evidence": "string",
}  # fmt: skip

#: One pool row that was retrieved for one query, both by row id; `rank` counts from 1.
MATCHES: Columns = {"row_id": "string", "query": "string", "score": "double", "rank": "int64"}

#: One record that was retrieved, with all that it matched, best first, as in MATCHES.
MATCHED: Columns = {**RECORDS, "matches": _MATCHES}

#: One text that identifies a benchmark item: its question (of multiple choice, with the choices), or a long solution.
#: An item may have several.
ITEMS: Columns = {"benchmark": "string", "item": "string", "text": "string"}

#: What one benchmark item is about, and how hard it is; null where its benchmark does not say.
LABELS: Columns = {"benchmark": "string", "item": "string", "topic": "string", "level": "string"}

#: One training row that shares text with one benchmark item: the share of the item's n-grams that it holds (0 to 1),
#: and the longest span that they share.
OVERLAPS: Columns = {
    "row_id": "string", "benchmark": "string", "item": "string", "ratio": "double", "span": "string",
}  # fmt: skip

#: How far one benchmark item was seen in a set of training rows. `ratio` is the highest overlap with any row, 0 where
#: there is none, `kept_ratio` with any row that was not dropped, `rows` how many rows were dropped for it; `status` is
#: ``contaminated`` where there are such rows, ``clean``, or ``unchecked`` (too short, or nothing but boilerplate).
#: Where overlaps are only reported, nothing is dropped: `rows` counts those that would be.
EXPOSURES: Columns = {
    "benchmark": "string", "item": "string", "status": "string", "ratio": "double", "kept_ratio": "double",
    "rows": "int64",
}  # fmt: skip

#: One row of a set of records that is near to one benchmark item; `rank` counts from 1. `share` is its BM25 `score`
#: over the one that the item's own text would get, 0 to 1.
NEIGHBOURS: Columns = {
    "benchmark": "string", "item": "string", "row_id": "string", "rank": "int64", "score": "double", "share": "double",
}  # fmt: skip

#: One row that repeats another one of a set of records: `of` is the row that stands for both, `same` says that their
#: words are the same, `similarity` is the Jaccard similarity of their shingles.
DUPLICATES: Columns = {
    "row_id": "string", "source": "string", "of": "string", "same": "bool", "similarity": "double",
}  # fmt: skip

#: One benchmark item that a candidate fixed or broke: `level` is its benchmark's own, null where it has none; `control`
#: and `candidate` are the shares of seeds at which each gets it right, `overlap` how much of its text a training row
#: holds, `near` how near the nearest one is; both 0 to 1, null where unknown.
CHANGES: Columns = {
    "benchmark": "string", "item": "string", "topic": "string", "level": "string", "difficulty": "string",
    "change": "string", "control": "double", "candidate": "double", "overlap": "double", "near": "double",
    "row_id": "string",
}  # fmt: skip

#: One row that was left out, and why. `row_id` is null where the row never became a record.
DROPS: Columns = {
    "row_id": "string", "source": "string", "origin": "string", "reason": "string", "detail": "string",
}  # fmt: skip

#: One packed training sequence: whole documents end to end. `labels` is -100 where no loss is taken (always at the
#: first token of a document); `lengths` are the documents' tokens, in order, and `row_ids` the documents themselves.
PACKS: Columns = {
    "input_ids": "list<int32>", "labels": "list<int32>", "lengths": "list<int32>", "row_ids": "list<string>",
}  # fmt: skip

#: One training sequence of an arm with one seed, in order: row `sequence` of the pack of `source`.
PLAN: Columns = {"position": "int64", "source": "string", "sequence": "int64"}

#: One optimiser step of an anneal.
STEPS: Columns = {
    "step": "int64", "loss": "double", "learning_rate": "double", "tokens": "int64", "seconds": "double",
    "tokens_per_second": "double", "mfu": "double",
}  # fmt: skip

#: One benchmark item as one model answered it. `item` names it in every arm; items of one `cluster` are not
#: independent. `correct` is 0 to 1; `bits` and `bytes` are those of the gold answer under the model, null where it has
#: none; `prompt` is the digest of the prompt as sent.
SCORES: Columns = {
    "benchmark": "string", "item": "string", "cluster": "string", "correct": "double", "truncated": "bool",
    "bits": "double", "bytes": "int64", "prompt": "string", "prediction": "string", "gold": "string",
}  # fmt: skip

#: One benchmark answer as another grader takes it: `scored` is the benchmark's own word, 0 (wrong) to 1 (right);
#: `correct` the other's, 0 or 1, null where it cannot tell. `prediction` and `gold` are the ends of what the model
#: wrote and of the reference; `method` is what decided and `evidence` what it saw.
GRADES: Columns = {
    "benchmark": "string", "item": "string", "scored": "double", "correct": "double", "prediction": "string",
    "gold": "string", "method": "string", "evidence": "string",
}  # fmt: skip

#: One answer on which two graders disagree; as GRADES, with whose it is.
DISAGREEMENTS: Columns = {
    "arm": "string", "seed": "int64", "benchmark": "string", "item": "string", "prediction": "string",
    "gold": "string", "grader": "string", "scored": "double", "regraded": "double", "evidence": "string",
}  # fmt: skip


def arrow_schema(columns: Columns) -> pa.Schema:
    """Return the Arrow schema of a table's columns."""
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    match = pa.struct([("query", pa.string()), ("score", pa.float64()), ("rank", pa.int64())])
    types = {
        "string": pa.string(), "int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_(),
        "list<int32>": pa.list_(pa.int32()), "list<string>": pa.list_(pa.string()),
        "list<float>": pa.list_(pa.float32()), _MESSAGES: pa.list_(message),
        _MATCHES: pa.list_(match),
    }  # fmt: skip
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])


class RowWriter:
    """Writes rows of one table as Parquet shards under a folder; a context manager. `count` is how many it took.

    `batch_rows` is how many it holds in memory, at most 2,000; fewer where rows are large.
    """

    def __init__(
        self, folder: Path, columns: Columns, *, shard_rows: int = SHARD_ROWS, batch_rows: int = _BATCH_ROWS
    ) -> None:
        self.folder, self.count = folder, 0
        self._columns, self._shard_rows, self._batch_rows = columns, shard_rows, min(batch_rows, _BATCH_ROWS)
        self._buffer: list[Row] = []
        self._writer: Any = None
        self._in_shard = self._shards = 0

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
            if self._shards == 0:  # an empty table is a table too
                self._open()
        self._close()

    def write(self, row: Row) -> None:
        """Take one row; it reaches the disk with its batch."""
        self._buffer.append(row)
        self.count += 1
        if len(self._buffer) == self._batch_rows:
            self._flush()

    def write_table(self, table: pa.Table) -> None:
        """Take the rows of a table with these columns; they reach the disk at once, so it should not be a small one."""
        self._flush()
        self._put(table)
        self.count += table.num_rows

    def _flush(self) -> None:
        import pyarrow as pa

        rows, self._buffer = self._buffer, []
        self._put(pa.Table.from_pylist(rows, schema=arrow_schema(self._columns)))

    def _put(self, table: pa.Table) -> None:
        while table.num_rows:
            if self._writer is None:
                self._open()
            room = self._shard_rows - self._in_shard
            rows, table = table.slice(0, room), table.slice(room)
            self._writer.write_table(rows)
            self._in_shard += rows.num_rows
            if self._in_shard == self._shard_rows:
                self._close()

    def _open(self) -> None:
        import pyarrow.parquet as pq

        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"rows-{self._shards:05d}.parquet"
        self._writer = pq.ParquetWriter(path, arrow_schema(self._columns), compression="zstd")
        self._shards, self._in_shard = self._shards + 1, 0

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


def write_rows(folder: Path, rows: Iterable[Row], columns: Columns) -> int:
    """Write rows as Parquet shards ``rows-*.parquet`` under `folder`; return how many."""
    with RowWriter(folder, columns) as writer:
        for row in rows:
            writer.write(row)
    return writer.count


def write_kept(folder: Path, rows: Iterable[Row], columns: Columns) -> tuple[int, Counter[str]]:
    """Write rows under `folder`, and those that have a ``reason`` as DROPS under its ``dropped/``.

    Returns:
        How many were kept, and how many were dropped for each reason.
    """
    reasons = Counter[str]()
    with RowWriter(folder, columns) as kept, RowWriter(folder / "dropped", DROPS) as dropped:
        for row in rows:
            if "reason" in row:
                reasons[row["reason"]] += 1
                dropped.write(row)
            else:
                kept.write(row)
    return kept.count, reasons


def read_rows(folder: Path, columns: Iterable[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table in order, or only some columns of them, a batch in memory at a time."""
    for table in read_tables(folder, columns):
        yield from table.to_pylist()


def read_tables(folder: Path, columns: Iterable[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of a table in order, or only some columns of them, as Arrow tables of a batch each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(columns) if columns else None
    for path in shards(folder):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names):
                yield pa.Table.from_batches([batch])


def regrouped(tables: Iterable[pa.Table], rows: int = _BATCH_ROWS) -> Iterator[pa.Table]:
    """Yield the rows of `tables` in tables of so many rows; the last one has what is left."""
    import pyarrow as pa

    held: list[pa.Table] = []
    room = rows
    for table in tables:
        rest = table
        while rest.num_rows >= room:
            yield pa.concat_tables([*held, rest.slice(0, room)])
            held, rest, room = [], rest.slice(room), rows
        if rest.num_rows:
            held.append(rest)
            room -= rest.num_rows
    if held:
        yield pa.concat_tables(held)


def shards(folder: Path) -> list[Path]:
    """Return the Parquet shards of a table, in order."""
    return sorted(folder.glob("rows-*.parquet"))

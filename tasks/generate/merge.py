"""Files of rows, each in the order of `position`, merged into one such order, a few rows of each in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def merged(paths: Sequence[Path], rows: int) -> Iterator[pa.Table]:
    """Yield tables that hold the rows of all Parquet files in one order, at most `rows` of each file in memory.

    Whatever comes up to the earliest end of the batches at hand can be sorted, since nothing that is still to be read
    comes before it; so each step uses up one batch at least, and no row passes through Python.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with ExitStack() as opened:
        runs = [opened.enter_context(pq.ParquetFile(path)).iter_batches(rows) for path in paths]
        heads = [(head, run) for run in runs if (head := next(run, None)) is not None]
        while heads:
            end = min(head["position"][-1].as_py() for head, _ in heads)
            ready, left = [], []
            for head, run in heads:
                count = pc.sum(pc.less_equal(head["position"], end)).as_py()
                ready.append(head.slice(0, count))
                after = head.slice(count) if count < head.num_rows else next(run, None)
                if after is not None:
                    left.append((after, run))
            table, heads = pa.Table.from_batches(ready).combine_chunks(), left
            yield table.take(pc.sort_indices(table["position"]))

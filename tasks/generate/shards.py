"""Cuts requests into shards: what is answered together, committed together and, after a kill, asked again together.

The cut depends on the requests alone, so that every run finds the same shards. Inside a window of requests, long
prompts go with their like: an engine's memory then holds either many short sequences or few long ones. Like means of
one power of two in length; within it requests keep their order, so that the samples of one prompt, and prompts that
share an opening, stay together for the prefix cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.core.rows import regrouped
from tasks.generate.engine import ASKED

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

#: Shards in a window; rows of one window, and no others, may change places.
WINDOW = 16

Row = dict[str, Any]


@dataclass(frozen=True)
class Shard:
    """Some requests of an artifact, in its order; `rows` have their `position` there (ASKED)."""

    number: int
    rows: pa.Table


def cut(requests: Iterable[pa.Table], shard_rows: int) -> Iterator[Shard]:
    """Yield the shards of `requests` (REQUESTS, in tables of any size), a window in memory at a time.

    All but a window's last have `shard_rows` rows.
    """
    import numpy as np
    import pyarrow as pa

    number = position = 0
    for window in regrouped(requests, WINDOW * shard_rows):
        positions = np.arange(position, position + window.num_rows)
        positioned = window.add_column(0, "position", pa.array(positions)).select(list(ASKED)).combine_chunks()
        order = np.argsort(-length_classes(window), kind="stable")
        for first in range(0, window.num_rows, shard_rows):
            yield Shard(number, positioned.take(np.sort(order[first : first + shard_rows])))
            number += 1
        position += window.num_rows


def length_classes(requests: pa.Table) -> NDArray[np.int64]:
    """Return the power of two that each request's characters reach: of its prompt, or of all its messages."""
    import numpy as np
    import pyarrow.compute as pc

    messages = requests["messages"].combine_chunks()
    counts = pc.fill_null(pc.list_value_length(messages), 0).to_numpy()
    contents = pc.utf8_length(pc.struct_field(pc.list_flatten(messages), "content"))
    rows = np.repeat(np.arange(requests.num_rows), counts)
    characters = np.bincount(rows, pc.fill_null(contents, 0).to_numpy(), minlength=requests.num_rows)
    characters += pc.fill_null(pc.utf8_length(requests["prompt"]), 0).to_numpy()
    return np.frexp(characters)[1].astype(np.int64)


def shard_count(requests: int, shard_rows: int) -> int:
    """Return how many shards `cut` makes of so many requests."""
    return -(-requests // shard_rows)


def even_rows(requests: int, most: int) -> int:
    """Return how many of so many requests go into a shard, `most` at the most, so that all are about as large.

    Were all as large as may be and the last one small, one engine would wait for another at the end.
    """
    return -(-requests // max(1, shard_count(requests, most))) or most

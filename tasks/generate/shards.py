"""Cuts requests into shards: what is answered together, committed together and, after a kill, asked again together.

The cut depends on the requests alone, so that every run finds the same shards. Inside a window of requests, long
prompts go with their like: an engine's memory then holds either many short sequences or few long ones. Like means of
one power of two in length; within it requests keep their order, so that the samples of one prompt, and prompts that
share an opening, stay together for the prefix cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

#: Shards in a window; rows of one window, and no others, may change places.
WINDOW = 16

Row = dict[str, Any]


@dataclass(frozen=True)
class Shard:
    """Some requests of an artifact, in its order; each row has its `position` there."""

    number: int
    rows: tuple[Row, ...]


def cut(requests: Iterable[Mapping[str, Any]], shard_rows: int) -> Iterator[Shard]:
    """Yield the shards of `requests`, a window in memory at a time; all but a window's last have `shard_rows` rows."""
    positioned = ({"position": position, **row} for position, row in enumerate(requests))
    number = 0
    while window := list(islice(positioned, WINDOW * shard_rows)):
        window.sort(key=lambda row: -length_class(row))
        for first in range(0, len(window), shard_rows):
            rows = sorted(window[first : first + shard_rows], key=lambda row: int(row["position"]))
            yield Shard(number, tuple(rows))
            number += 1


def length_class(request: Mapping[str, Any]) -> int:
    """Return the power of two that a request's characters reach."""
    messages = request["messages"] or ()
    return (len(request["prompt"] or "") + sum(len(message["content"] or "") for message in messages)).bit_length()


def shard_count(requests: int, shard_rows: int) -> int:
    """Return how many shards `cut` makes of so many requests."""
    return -(-requests // shard_rows)

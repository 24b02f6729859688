"""The pool: several tables end to end, and the part of it that may be found.

A row's *position* counts through all tables of the pool, by name. What may be found is kept as positions alone (8 bytes
a row); texts and vectors are read again where they are needed, so memory stays flat.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.core.asked import asked
from tasks.core.errors import IntegrityError
from tasks.core.progress import Tally
from tasks.core.rows import RECORDS, read_rows
from tasks.core.vectors import vector_ids, vector_shards
from tasks.retrieve.memory import BLOCK_ROWS
from tasks.retrieve.select import PoolRow, text_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Placed(NamedTuple):
    """A record of the pool, its position and its table's name."""

    position: int
    table: str
    record: dict[str, Any]

    @property
    def row(self) -> PoolRow:
        """What the choice needs of it."""
        return PoolRow(self.record["row_id"], self.table, text_key(asked(self.record)))


def placed(tables: Mapping[str, Path]) -> Iterator[Placed]:
    """Yield all records of a pool in order; `tables` has a folder of RECORDS by name."""
    position = 0
    for name in sorted(tables):
        for record in read_rows(tables[name], RECORDS):
            yield Placed(position, name, record)
            position += 1


class PoolTexts:
    """The texts that may be found; `positions` are their rows'."""

    def __init__(self, tables: Mapping[str, Path], positions: array[int], tally: Tally | None = None) -> None:
        self._tables, self.positions, self._tally = tables, positions, tally or Tally()

    def texts(self) -> Iterator[str]:
        """Yield the texts in order."""
        wanted = iter(self.positions)
        following = next(wanted, None)
        for position, _, record in placed(self._tables):
            if position == following:
                yield asked(record)
                self._tally.add(1)
                following = next(wanted, None)


@dataclass(frozen=True)
class PoolVectors:
    """The vectors that may be found, (rows, dimension).

    Attributes:
        folders: the vectors of each table, by the order of the tables.
        vectors: the number of each vector that may be found, counted through all folders.
        positions: its row's position.
        tally: counts the vectors that are read.
    """

    folders: tuple[Path, ...]
    vectors: array[int]
    positions: array[int]
    dimension: int
    tally: Tally = field(default_factory=Tally)

    @property
    def rows(self) -> int:
        return len(self.vectors)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield the vectors in order, mapped from disk where all of a block may be found and copied where not."""
        import numpy as np

        chosen, start = np.frombuffer(self.vectors, dtype=np.int64), 0
        for block in _pieces(self.folders):
            low, high = np.searchsorted(chosen, [start, start + len(block)])
            if high - low == len(block):
                yield np.ascontiguousarray(block, dtype=np.float32)
            elif high > low:
                yield np.ascontiguousarray(block[chosen[low:high] - start], dtype=np.float32)
            start += len(block)
            self.tally.add(int(high - low))


def _pieces(folders: tuple[Path, ...]) -> Iterator[NDArray[np.floating[Any]]]:
    for folder in folders:
        for shard in vector_shards(folder):
            for first in range(0, len(shard), BLOCK_ROWS):
                yield shard[first : first + BLOCK_ROWS]


def vectors_at(
    tables: Mapping[str, Path], vectors: Mapping[str, Path], positions: array[int], tally: Tally | None = None
) -> PoolVectors:
    """Return the vectors of the rows at `positions`; a row without a vector (it has no text) cannot be found.

    Raises:
        IntegrityError: if vectors are of other rows, in another order, or of several dimensions.
    """
    wanted, numbers, found = iter(positions), array("q"), array("q")
    following, position, first = next(wanted, None), 0, 0
    for name in sorted(tables):
        ids = enumerate(vector_ids(vectors[name]), start=first)
        vector = next(ids, None)
        for record in read_rows(tables[name], ["row_id"]):
            has_vector = vector is not None and vector[1] == record["row_id"]
            if position == following:
                following = next(wanted, None)
                if vector is not None and has_vector:
                    numbers.append(vector[0])
                    found.append(position)
            if has_vector:
                first += 1
                vector = next(ids, None)
            position += 1
        if vector is not None:
            raise IntegrityError(f"pool.{name}: its vectors are of other rows", remedy="embed this table again")
    folders = tuple(vectors[name] for name in sorted(tables))
    return PoolVectors(folders, numbers, found, dimension(folders), tally or Tally())


def matrix(folder: Path) -> NDArray[np.float32]:
    """Return all vectors of a table as one matrix, (rows, dimension): for queries, which are few."""
    import numpy as np

    return np.concatenate([np.asarray(shard, dtype=np.float32) for shard in vector_shards(folder)])


def dimension(folders: tuple[Path, ...]) -> int:
    """Return the one dimension that all vectors have.

    Raises:
        IntegrityError: if there are several, or no vectors.
    """
    widths = {shard.shape[1] for folder in folders for shard in islice(vector_shards(folder), 1)}
    if len(widths) != 1:
        raise IntegrityError(
            f"the vectors have dimensions {sorted(widths)}", remedy="embed queries and pool with the same encoder"
        )
    return int(widths.pop())

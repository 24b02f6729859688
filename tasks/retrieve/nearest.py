"""The rows of a set of records that are nearest to each benchmark item, by shared words.

Scores of BM25 have no scale of their own: a long item has high ones with any row. So each is also given as a share of
what the item's own text would get among the same rows: 1 is a row that says the same and nothing else.

Rows are indexed a block at a time, so memory does not grow with them; how rare a word is, is counted within its block.
The rows with the highest shares over all blocks stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.asked import asked
from tasks.core.progress import Report
from tasks.core.rows import RECORDS, read_rows
from tasks.retrieve.config import Bm25Config, NearestConfig, RetrieveRuntime

#: Characters of a block; its index takes 34 bytes for each, half a gigabyte.
_BLOCK = 1 << 24
#: Items that are looked for at once.
_BATCH = 4_096


class Near(NamedTuple):
    """A row near to an item; the nearest is the largest."""

    share: float
    score: float
    row_id: str


@dataclass(frozen=True)
class Block:
    """Some rows' texts, held in memory."""

    row_ids: Sequence[str]
    held: Sequence[str]

    @property
    def positions(self) -> range:
        """The rows, by their place in the block."""
        return range(len(self.held))

    def texts(self) -> Iterator[str]:
        """Yield the texts in order."""
        return iter(self.held)


def nearest_rows(
    records: Path,
    items: Iterable[Mapping[str, Any]],
    config: NearestConfig,
    runtime: RetrieveRuntime,
    block_characters: int = _BLOCK,
    *,
    report: Report | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of `records` nearest to each item, best first (NEIGHBOURS); of an item's texts the first counts.

    A row that shares no word with an item is not near to it. `report` takes how many rows are done: of a block's, as
    large a share as of the items that were looked for in it.

    Raises:
        EngineError: if bm25s fails.
        InfrastructureError: if the index of a block does not fit into memory.
    """
    texts: dict[tuple[str, str], str] = {}
    for item in items:
        texts.setdefault((item["benchmark"], item["item"]), item["text"])
    best: list[list[Near]] = [[] for _ in texts]
    before = 0
    for block in _blocks(records, block_characters):
        for place, found in enumerate(_in_block(block, list(texts.values()), config, runtime)):
            best[place] = nlargest(config.k, [*best[place], *found])
            if report is not None:
                report(before + len(block.held) * (place + 1) // len(texts))
        before += len(block.held)
    for (benchmark, name), rows in zip(texts, best, strict=True):
        for rank, row in enumerate(rows, start=1):
            yield {"benchmark": benchmark, "item": name, "rank": rank, **row._asdict()}


def _blocks(records: Path, most: int) -> Iterator[Block]:
    row_ids, texts, size = list[str](), list[str](), 0
    for row in read_rows(records, RECORDS):
        row_ids.append(row["row_id"])
        texts.append(asked(row))
        size += len(texts[-1])
        if size >= most:
            yield Block(row_ids, texts)
            row_ids, texts, size = [], [], 0
    if texts:
        yield Block(row_ids, texts)


def _in_block(
    block: Block, asking: Sequence[str], config: NearestConfig, runtime: RetrieveRuntime
) -> Iterator[list[Near]]:
    """Yield the nearest rows of a block for each item, in order."""
    from tasks.retrieve.bm25s import has_words, open_index

    if not has_words(block.texts()):
        yield from ([] for _ in asking)
        return
    index = open_index(block, Bm25Config(k1=config.k1, b=config.b), runtime)
    for start in range(0, len(asking), _BATCH):
        batch = asking[start : start + _BATCH]
        found, own = index.search(batch, config.k), index.own_scores(batch)
        for places, scores, most in zip(found.rows.tolist(), found.scores.tolist(), own.tolist(), strict=True):
            yield [
                Near(min(1.0, score / most) if most > 0 else 0.0, score, block.row_ids[place])
                for place, score in zip(places, scores, strict=True)
                if place >= 0
            ]

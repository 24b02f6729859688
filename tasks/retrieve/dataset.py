"""The retrieved dataset, written in three passes over the pool, none of which holds it.

First what may be found, then (after the search) which of the found rows are chosen, then the rows themselves. Memory
grows with queries x k, not with the pool.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.asked import asked
from tasks.core.errors import DataError, IntegrityError
from tasks.core.rows import DROPS, MATCHES, RECORDS, Row, RowWriter, read_rows
from tasks.core.store import Draft
from tasks.retrieve.config import SelectConfig
from tasks.retrieve.engine import Neighbours
from tasks.retrieve.pool import Placed, placed
from tasks.retrieve.select import Hit, Reason, Seeds, Selected, barred, own_names, select, text_key

#: What each row matched (MATCHES), beside the retrieved rows.
MATCHES_FOLDER = "matches"

Tables = Mapping[str, Path]


class Found(NamedTuple):
    """What a search found, and what its index was."""

    hits: Iterable[Hit]
    facts: dict[str, Any]


def write_dataset(
    tables: Tables, queries: Path, config: SelectConfig, find: Callable[[array[int]], Found], draft: Draft
) -> None:
    """Write the rows of the pool that `find` finds among the positions it is given, with matches and drops.

    Raises:
        DataError: if nothing of the pool may be found.
    """
    reasons = Counter[str]()
    with RowWriter(draft.folder / "dropped", DROPS) as dropped:

        def drop(row: Placed, why: Reason) -> None:
            reasons[why.reason] += 1
            named = {column: row.record[column] for column in ("row_id", "source", "origin")}
            dropped.write({**named, "reason": why.reason, "detail": why.detail})

        positions = _findable(tables, _seeds(queries), config, drop)
        if not positions:
            raise DataError(
                f"no row of the pool may be found ({dict(reasons) or 'it is empty'})",
                remedy="look at `pool` and at the names in `test_splits`",
            )
        found = find(positions)
        chosen = _choose(tables, found.hits, config)
        sources = _write_rows(tables, chosen, drop, draft)
    draft.num_dropped = dropped.count
    draft.provenance |= {"index": found.facts, "dropped": dict(reasons), "rows_by_source": sources}


def hits(queries: Iterable[str], neighbours: Neighbours, positions: array[int]) -> Iterator[Hit]:
    """Yield what was found for each query; `positions` are those of the base's rows."""
    for query, rows, scores in zip(queries, neighbours.rows, neighbours.scores, strict=True):
        for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
            if row >= 0:
                yield Hit(query, positions[row], score)


def matched_rows(records: Iterable[Row], matches: Iterable[Row]) -> Iterator[Row]:
    """Yield retrieved records (MATCHED), each with what it matched.

    Args:
        matches: rows of MATCHES, in the order of `records`; they may be of more rows.

    Raises:
        IntegrityError: if a record has none, or comes in another order.
    """
    groups = groupby(matches, key=lambda match: match["row_id"])
    for record in records:
        own = next((list(group) for row_id, group in groups if row_id == record["row_id"]), None)
        if own is None:
            raise IntegrityError(f"{record['row_id']} matched nothing", remedy="retrieve it again, into another store")
        yield {**record, "matches": [{name: match[name] for name in ("query", "score", "rank")} for match in own]}


def _seeds(queries: Path) -> Seeds:
    texts = {row["row_id"]: text_key(asked(row)) for row in read_rows(queries)}
    return Seeds(frozenset(texts), {text: row_id for row_id, text in texts.items()})


def _findable(tables: Tables, seeds: Seeds, config: SelectConfig, drop: Callable[[Placed, Reason], None]) -> array[int]:
    positions = array("q")
    for row in placed(tables):
        if (why := barred(row.row, own_names(row.record), seeds, config)) is None:
            positions.append(row.position)
        else:
            drop(row, why)
    return positions


def _choose(tables: Tables, found: Iterable[Hit], config: SelectConfig) -> Selected:
    whole = list(found)
    union = {hit.position for hit in whole}
    return select(whole, {row.position: row.row for row in placed(tables) if row.position in union}, config)


def _write_rows(
    tables: Tables, chosen: Selected, drop: Callable[[Placed, Reason], None], draft: Draft
) -> dict[str, int]:
    sources = Counter[str]()
    with RowWriter(draft.folder, RECORDS) as kept, RowWriter(draft.folder / MATCHES_FOLDER, MATCHES) as matched:
        for row in placed(tables):
            if (why := chosen.dropped.get(row.position)) is not None:
                drop(row, why)
            if (own := chosen.kept.get(row.position)) is not None:
                kept.write(row.record)
                sources[row.table] += 1
                for match in own:
                    matched.write({"row_id": row.record["row_id"], **match._asdict()})
    draft.num_rows, draft.columns = kept.count, RECORDS
    return dict(sources)

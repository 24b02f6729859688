"""What a ledger is made from, read: scores side by side, and what is known of each item's text and its neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.asked import asked
from tasks.core.ledgers import NearRow
from tasks.core.rows import read_rows, shards
from tasks.core.store import ArtifactRef, Store
from tasks.ledger.changes import Column, Paired, paired
from tasks.ledger.config import SeedScores, Texts

Name = tuple[str, str]
#: The most characters of a training row that are shown.
_ROW = 300


@dataclass(frozen=True)
class Nearness:
    """What is known of the items' neighbours, by (benchmark, item).

    Attributes:
        rows: the row ids of the candidate's nearest rows with score and share, best first; empty where not known.
        share: how near the nearest target is, 0 to 1: of the failed questions where there are such, else of the rows.
            None where nearness is not known at all.
        overlap: the share of the item's text that a row holds; without the items that could not be checked. None where
            overlap is not known at all.
    """

    rows: dict[Name, list[tuple[str, float, float]]]
    share: dict[Name, float] | None
    overlap: dict[Name, float] | None


def load_pairs(store: Store, scores: Sequence[SeedScores], labels: ArtifactRef | None = None) -> list[Paired]:
    """Return every benchmark's items in both arms, benchmarks in the order they come, seeds in order.

    Raises:
        IntegrityError: if two tables are of other items.
    """
    found, known = [], _labels(store, labels)
    for benchmark in dict.fromkeys(one.benchmark for one in scores):
        own = sorted((one for one in scores if one.benchmark == benchmark), key=lambda one: one.seed)
        control, candidate = ([_column(store, getattr(one, arm)) for one in own] for arm in ("control", "candidate"))
        found.append(paired(benchmark, control, candidate, known.get(benchmark)))
    return found


def load_nearness(store: Store, texts: Texts) -> Nearness:
    """Return what is known of the items' neighbours and overlaps."""
    rows: dict[Name, list[tuple[str, float, float]]] = {}
    if texts.nearest is not None:
        for row in read_rows(store.folder(texts.nearest)):
            rows.setdefault((row["benchmark"], row["item"]), []).append((row["row_id"], row["score"], row["share"]))
    share = {name: own[0][2] for name, own in rows.items()} if texts.nearest is not None else None
    if texts.failures is not None:
        nearest = read_rows(store.folder(texts.failures))
        share = {(row["benchmark"], row["item"]): row["share"] for row in nearest if row["rank"] == 1}
    return Nearness(rows, share, _overlaps(store, texts))


def questions(store: Store, items: ArtifactRef | None, wanted: Iterable[Name]) -> dict[Name, str]:
    """Return what some items ask: the first text of each."""
    names = set(wanted)
    found: dict[Name, str] = {}
    if items is None or not names:
        return found
    for row in _filtered(store.folder(items), "item", [item for _, item in names], ["benchmark", "item", "text"]):
        found.setdefault((row["benchmark"], row["item"]), row["text"])
    return found


def answers(store: Store, scores: ArtifactRef, wanted: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return what was answered to some items of one benchmark, and the gold answer, by item."""
    columns = ["item", "prediction", "gold"]
    rows = _filtered(store.folder(scores), "item", list(wanted), columns)
    return {row["item"]: (row["prediction"] or "", row["gold"] or "") for row in rows}


def near_rows(
    store: Store, records: ArtifactRef | None, found: Sequence[tuple[Name, list[tuple[str, float, float]]]]
) -> dict[Name, tuple[NearRow, ...]]:
    """Return the training rows near to some items, with the beginning of their texts."""
    ids = sorted({row_id for _, rows in found for row_id, _, _ in rows})
    texts: dict[str, str] = {}
    if records is not None and ids:
        wanted = _filtered(store.folder(records), "row_id", ids, ["row_id", "text", "messages"])
        texts = {row["row_id"]: _beginning(row) for row in wanted}
    return {
        name: tuple(
            NearRow(row_id=row_id, excerpt=texts.get(row_id, ""), score=round(score, 3), share=round(share, 3))
            for row_id, score, share in rows
        )
        for name, rows in found
    }


def _beginning(record: dict[str, Any]) -> str:
    """Return the beginning of what is trained on: of a chat, what is asked and what is answered."""
    turns = [message["content"] for message in record["messages"] or () if message["role"] != "system"]
    whole = " → ".join(turns) if turns else asked(record)
    plain = " ".join(whole.split())
    return plain if len(plain) <= _ROW else f"{plain[:_ROW].rstrip()} […]"


def _overlaps(store: Store, texts: Texts) -> dict[Name, float] | None:
    if texts.exposures is None:
        return None
    rows = read_rows(store.folder(texts.exposures) / texts.exposures_folder)
    return {(row["benchmark"], row["item"]): row["ratio"] for row in rows if row["status"] != "unchecked"}


def _labels(store: Store, labels: ArtifactRef | None) -> dict[str, dict[str, tuple[str | None, str | None]]]:
    found = defaultdict[str, dict[str, tuple[str | None, str | None]]](dict)
    for row in read_rows(store.folder(labels)) if labels is not None else ():
        found[row["benchmark"]][row["item"]] = (row["topic"], row["level"])
    return found


def _column(store: Store, scores: ArtifactRef) -> Column:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.concat_tables(
        [pq.read_table(path, columns=["item", "correct"]) for path in shards(store.folder(scores))]
    )
    return table.column("item").to_pylist(), np.asarray(table.column("correct").to_numpy(), dtype=np.float64)


def _filtered(folder: Path, column: str, values: Sequence[str], columns: list[str]) -> Iterable[dict[str, Any]]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in shards(folder):
        yield from pq.read_table(path, columns=columns, filters=pc.field(column).isin(list(values))).to_pylist()

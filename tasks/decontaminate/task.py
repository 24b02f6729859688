"""The decontaminate tasks: records and benchmark items in; clean records, what was dropped and every overlap out.

`report_overlaps` drops nothing: it says what records share with the items of a study that will train on all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prefect import task

from tasks.core.errors import DataError
from tasks.core.progress import Report, counted
from tasks.core.rows import DROPS, EXPOSURES, ITEMS, OVERLAPS, RECORDS, Columns, RowWriter, read_rows, write_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.decontaminate.artifact import (
    BOILERPLATE_FOLDER,
    EXPOSURES_FOLDER,
    OVERLAPS_FOLDER,
    Items,
    identity,
    item_tables,
    overlap_identity,
)
from tasks.decontaminate.config import DecontaminateConfig
from tasks.decontaminate.exposure import Exposure
from tasks.decontaminate.index import ItemIndex, build_index
from tasks.decontaminate.overlap import Matcher

_BOILERPLATE: Columns = {"benchmark": "string", "ngram": "string", "items": "int64"}


@task(name="decontaminate", task_run_name="decontaminate {name}")
def decontaminate(
    name: str,
    config: DecontaminateConfig,
    records: ArtifactRef,
    items: Items,
    store_root: Path,
    *,
    report: Report | None = None,
) -> ArtifactRef:
    """Publish the records that give no benchmark item away (RECORDS), the others under ``dropped/`` (DROPS).

    Beside them lie ``overlaps/`` (OVERLAPS), every match from `report_ratio` on, of kept rows too; ``items/``
    (EXPOSURES), each benchmark item with how far it was seen; and ``boilerplate/``, the n-grams that count for none.

    Args:
        name: what is decontaminated, for people.
        records: an artifact of RECORDS.
        items: an artifact of ITEMS, or several by name.

    Raises:
        DataError: if there is no item that can be checked, or no clean row is left.
    """
    store = Store(store_root)
    parts = item_tables(items)

    def build(draft: Draft) -> None:
        given = (row for ref in parts.values() for row in read_rows(store.folder(ref), ITEMS))
        rows = counted(read_rows(store.folder(records), RECORDS), report)
        write_clean(name, config, rows, given, draft)
        draft.sources = {"records": records.path, **{f"items-{part}": ref.path for part, ref in parts.items()}}

    return store.produce(identity(config, records, items), build)


def write_clean(
    name: str,
    config: DecontaminateConfig,
    records: Iterable[Mapping[str, Any]],
    items: Iterable[Mapping[str, Any]],
    draft: Draft,
) -> None:
    """Write the clean and the dropped rows of `records`, and what they share with `items`, into `draft`; streamed."""
    index = _index(items, config)
    if not index.checked().any():
        raise DataError(
            f"{name}: none of {len(index.items)} benchmark items can be checked",
            remedy=f"an item needs {config.min_words} words or more that are not all boilerplate; look at the texts",
        )
    exposure = Exposure(index, config.ratio)
    draft.num_rows, draft.num_dropped = _write_rows(records, Matcher(index), exposure, config.report_ratio, draft)
    if draft.num_rows == 0:
        raise DataError(
            f"{name}: no row is clean: {draft.num_dropped} hold {100 * config.ratio:.0f} % or more of a benchmark item",
            remedy=f"look at {exposure.most_met()}, which most of them hold, and at what made the records",
        )
    write_rows(draft.folder / EXPOSURES_FOLDER, exposure.items(), EXPOSURES)
    write_rows(draft.folder / BOILERPLATE_FOLDER, (found._asdict() for found in index.boilerplate), _BOILERPLATE)
    draft.columns = RECORDS
    draft.provenance = {"dropped": {"contaminated": draft.num_dropped}, "items": exposure.counts()}


def _write_rows(
    records: Iterable[Mapping[str, Any]], matcher: Matcher, exposure: Exposure, least: float, draft: Draft
) -> tuple[int, int]:
    with (
        RowWriter(draft.folder, RECORDS) as clean,
        RowWriter(draft.folder / "dropped", DROPS) as dropped,
        RowWriter(draft.folder / OVERLAPS_FOLDER, OVERLAPS) as overlaps,
    ):
        for row in records:
            found = matcher.overlaps(record_text(row), least)
            named = [{"row_id": row["row_id"], **matcher.named(overlap)} for overlap in found]
            for overlap in named:
                overlaps.write(overlap)
            if exposure.add(found):
                dropped.write(_drop(row, named[0]))
            else:
                clean.write(row)
    return clean.count, dropped.count


@task(name="overlap", task_run_name="overlap {name}")
def report_overlaps(
    name: str,
    config: DecontaminateConfig,
    records: ArtifactRef,
    items: ArtifactRef,
    store_root: Path,
    *,
    report: Report | None = None,
) -> ArtifactRef:
    """Publish what records share with benchmark items (OVERLAPS), every match from `report_ratio` on.

    Nothing is dropped. Beside the matches lies ``items/`` (EXPOSURES), each benchmark item with how far it was seen.

    Args:
        name: whose records they are, for people.
        records: an artifact of RECORDS.
        items: an artifact of ITEMS.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        index = _index(read_rows(store.folder(items), ITEMS), config)
        exposure, matcher = Exposure(index, config.ratio), Matcher(index)
        with RowWriter(draft.folder, OVERLAPS) as overlaps:
            for row in counted(read_rows(store.folder(records), RECORDS), report):
                found = matcher.overlaps(record_text(row), config.report_ratio)
                exposure.add(found)
                for overlap in found:
                    overlaps.write({"row_id": row["row_id"], **matcher.named(overlap)})
        kept = ({**item, "kept_ratio": item["ratio"]} for item in exposure.items())
        write_rows(draft.folder / EXPOSURES_FOLDER, kept, EXPOSURES)
        draft.num_rows, draft.columns = overlaps.count, OVERLAPS
        draft.sources = {"records": records.path, "items": items.path}
        draft.provenance = {"source": name, "items": exposure.counts()}

    return store.produce(overlap_identity(config, records, items), build)


def record_text(record: Mapping[str, Any]) -> str:
    """Return all of a record's text, every message of it: an item may hide in a system message too."""
    return str(record["text"]) if record["text"] is not None else "\n".join(m["content"] for m in record["messages"])


def _index(items: Iterable[Mapping[str, Any]], config: DecontaminateConfig) -> ItemIndex:
    return build_index(((row["benchmark"], row["item"], row["text"]) for row in items), config)


def _drop(row: Mapping[str, Any], overlap: Mapping[str, Any]) -> dict[str, Any]:
    detail = f"{overlap['ratio']:.2f} of {overlap['benchmark']} {overlap['item']}: {overlap['span']}"
    origin = {"row_id": row["row_id"], "source": row["source"], "origin": row["origin"]}
    return origin | {"reason": "contaminated", "detail": detail}

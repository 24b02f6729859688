"""What each benchmark item is about and how hard it is, where its benchmark says so: for the ledger.

OpenCompass reads neither of MATH's two columns, and it never reads those of a study's own file. So they are read here,
from the file itself, and go to the item by its place, which its name tells. No score depends on them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.identity import Identity
from tasks.core.readers import read_file
from tasks.core.rows import LABELS, read_rows, write_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.evaluate.config import BenchmarkConfig
from tasks.evaluate.registry import REGISTRY
from tasks.evaluate.suite import data_digest, data_files

LABELS_STAGE = "labels"
#: Raised whenever the meaning of a label changes.
LABELS_VERSION = 1
#: The columns of a study's own file that are looked for, the first that a row has.
_OWN_TOPIC, _OWN_LEVEL = ("topic", "subject"), ("level", "difficulty")
_NAME = re.compile(r"(.+)/(\d+)-[0-9a-f]{12}")


class Label(NamedTuple):
    """What an item is about and how hard it is; each None where its benchmark does not say."""

    topic: str | None = None
    level: str | None = None


def labels_identity(benchmarks: Sequence[BenchmarkConfig], items: ArtifactRef, data: Path) -> Identity:
    """Return the identity of the labels of some items. It reads the benchmarks' files, and starts nothing.

    Raises:
        DataError: where a file is missing.
    """
    digests = {f"benchmark-{one.name}": data_digest(one, data) for one in benchmarks if _has_columns(one)}
    return Identity.of(LABELS_STAGE, LABELS_VERSION, {}, {"items": items.digest, **digests})


def publish_labels(
    benchmarks: Sequence[BenchmarkConfig], items: ArtifactRef, *, data: Path, store: Store
) -> ArtifactRef:
    """Return the labels of all items that have one: an artifact of `LABELS` rows.

    Args:
        items: the benchmarks' items (ITEMS).
        data: the folder of OpenCompass's benchmark files.

    Raises:
        DataError: where a file is missing, or cannot be read.
    """

    def build(draft: Draft) -> None:
        names = dict.fromkeys((row["benchmark"], row["item"]) for row in read_rows(store.folder(items)))
        draft.num_rows = write_rows(draft.folder, _rows(benchmarks, names, data), LABELS)
        draft.columns = LABELS

    return store.produce(labels_identity(benchmarks, items, data), build)


def _rows(
    benchmarks: Sequence[BenchmarkConfig], names: Iterable[tuple[str, str]], data: Path
) -> Iterator[dict[str, Any]]:
    by_place = {one.name: _by_place(one, data) for one in benchmarks if _has_columns(one)}
    for benchmark, item in names:
        found = _NAME.fullmatch(item)
        if found is None:
            continue
        labels = by_place.get(benchmark)
        label = labels[int(found[2])] if labels is not None else _by_subset(benchmark, found[1])
        if label != Label():
            yield {"benchmark": benchmark, "item": item, **label._asdict()}


def _has_columns(benchmark: BenchmarkConfig) -> bool:
    return benchmark.custom or bool(REGISTRY[benchmark.name].topic)


def _by_place(benchmark: BenchmarkConfig, data: Path) -> list[Label]:
    """Return the labels of a benchmark of one file, in the order of its rows."""
    path = data_files(benchmark, data)[0]
    if benchmark.custom:
        rows = (raw.value or {} for raw in read_file(path))
        return [Label(_first(row, _OWN_TOPIC), _level(_first(row, _OWN_LEVEL))) for row in rows]
    known = REGISTRY[benchmark.name]
    return [Label(_first(row, (known.topic,)), _level(_first(row, (known.level,)))) for row in _registered(path)]


def _registered(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of the registry; MATH's is one object that holds them all by number."""
    if path.suffix == ".json":
        return list(json.loads(path.read_text(encoding="utf-8")).values())
    return [raw.value or {} for raw in read_file(path)]


def _by_subset(benchmark: str, abbr: str) -> Label:
    """Return what MathBench's names tell: ``college_knowledge/single_choice_en`` is of the level ``college``."""
    known = REGISTRY[benchmark]
    if known.cluster != "question":
        return Label()
    subset = dict(zip(known.abbrs(None), known.subsets, strict=True))[abbr]
    return Label(level=subset.partition("/")[0].removesuffix("_knowledge"))


def _first(row: dict[str, Any], columns: Sequence[str]) -> str | None:
    said = (str(row[column]).strip() for column in columns if row.get(column) is not None)
    return next((text for text in said if text), None)


def _level(text: str | None) -> str | None:
    """Return a level in words: MATH writes ``Level 2`` where MATH-500 writes 2."""
    return f"Level {text}" if text is not None and text.isdigit() else text

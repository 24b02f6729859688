"""Which rows a retrieved dataset keeps: pure values in, values out.

Before the search, the queries themselves, other rows with a query's text, and test splits are taken out of the pool, so
that they use up no rank. After it: the first k of each query, their union, one row of each text, and caps by source,
best matches first. Scores are compared by six decimals and ties go by row id, so neither the order of the input nor a
rounding error decides.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, NamedTuple

from tasks.retrieve.config import SelectConfig

_DECIMALS = 6


class Reason(NamedTuple):
    """Why a row is left out."""

    reason: str
    detail: str


class Hit(NamedTuple):
    """One row that a search found for one query; `position` is its place in the pool."""

    query: str
    position: int
    score: float


class Match(NamedTuple):
    """One query that a row matched; `rank` counts from 1 among that query's matches."""

    query: str
    score: float
    rank: int


class PoolRow(NamedTuple):
    """A row of the pool as far as the choice goes; `source` is its name in the pool, `text` its `text_key`."""

    row_id: str
    source: str
    text: str


class Seeds(NamedTuple):
    """The queries, which may never be found: their row ids, and a row id for each `text_key`."""

    ids: frozenset[str]
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Selected:
    """Rows by their position: what the kept ones matched, best first, and why the others were left out."""

    kept: dict[int, tuple[Match, ...]] = field(default_factory=dict)
    dropped: dict[int, Reason] = field(default_factory=dict)


def text_key(text: str) -> str:
    """Return what is the same for texts that differ in case, width and white space only."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def own_names(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a record (RECORDS) says that it is from: its source; each folder, file or split of its origin."""
    return record["source"], *record["origin"].rsplit(":", 1)[0].split("/")


def barred(row: PoolRow, names: Iterable[str], seeds: Seeds, config: SelectConfig) -> Reason | None:
    """Return why a row may not be found, None where it may.

    `names` are the row's own (`own_names`), which may be finer than the pool's.
    """
    for name in (row.source, *names):
        if pattern := _test_split(name, config.test_splits):
            return Reason("test split", f"{name} is declared as one by {pattern!r}")
    if row.row_id in seeds.ids:
        return Reason("self", "is a query")
    if (query := seeds.texts.get(row.text)) is not None:
        return Reason("duplicate", f"same text as {query}")
    return None


@lru_cache(maxsize=4096)  # a pool of millions has a few names
def _test_split(name: str, patterns: tuple[str, ...]) -> str | None:
    """Return the first pattern that a name fits, in any case."""
    return next((one for one in patterns if fnmatchcase(name.casefold(), one.casefold())), None)


def select(hits: Iterable[Hit], rows: Mapping[int, PoolRow], config: SelectConfig) -> Selected:
    """Return which of the rows that were found make the dataset; `rows` has all of them by position."""
    matches = _matches(hits, rows, config.k)
    best_first = sorted(matches, key=lambda position: (-matches[position][0].score, rows[position].row_id))
    chosen, taken, texts = Selected(), Counter[str](), dict[str, str]()
    for position in best_first:
        row = rows[position]
        if row.text in texts:
            chosen.dropped[position] = Reason("duplicate", f"same text as {texts[row.text]}")
        elif taken[row.source] >= config.caps.get(row.source, len(matches)):
            chosen.dropped[position] = Reason(
                "over the source's cap", f"{row.source} may give {config.caps[row.source]} rows"
            )
        else:
            chosen.kept[position] = matches[position]
            taken[row.source] += 1
            texts[row.text] = row.row_id
    return chosen


def _matches(hits: Iterable[Hit], rows: Mapping[int, PoolRow], k: int) -> dict[int, tuple[Match, ...]]:
    """Return the union of the queries' first `k`, and what each of its rows matched, best first."""
    found: defaultdict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        found[hit.query].append(hit._replace(score=round(hit.score, _DECIMALS)))
    union: defaultdict[int, list[Match]] = defaultdict(list)
    for query, own in found.items():
        own.sort(key=lambda hit: (-hit.score, rows[hit.position].row_id))
        for rank, hit in enumerate(own[:k], start=1):
            union[hit.position].append(Match(query, hit.score, rank))
    return {position: tuple(sorted(own, key=_best)) for position, own in union.items()}


def _best(match: Match) -> tuple[float, str]:
    return -match.score, match.query

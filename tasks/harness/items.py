"""That every side answered the control's items, each in the same cluster: else a difference says nothing of a model.

`compare` holds a study's scores to the same rule. These results are others' own, and nobody here can evaluate again, so
what is said is whose results to look at, and for what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.core.errors import IntegrityError
from tasks.harness.lineup import Key, Side, Table


def check_items(sides: Sequence[Side], tables: Mapping[Key, Table]) -> None:
    """Check tables that line up by benchmark and seed; the first of each benchmark is what the others are held to.

    Raises:
        IntegrityError: if two tables hold other items, or an item in other clusters, or one holds less than two items.
    """
    paths = {(side.name, seed): path for side in sides for seed, path in _paths(side, tables)}
    first: dict[str, Key] = {}
    for key, table in tables.items():
        if len(table.item) < 2:
            raise IntegrityError(
                f"{_who(key)}, has one item of {key[2]}, too few to compare",
                remedy=f"see that {paths[key[:2]]} is whole, or leave {key[2]} out of all results",
            )
        measure = first.setdefault(key[2], key)
        _check_same(key, table, measure, tables[measure], f"{paths[measure[:2]]} and {paths[key[:2]]}")


def _check_same(key: Key, ours: Table, other: Key, theirs: Table, both: str) -> None:
    here, there = (dict(zip(table.item, table.cluster, strict=True)) for table in (ours, theirs))
    if here.keys() != there.keys():
        missing, added = sorted(there.keys() - here.keys()), sorted(here.keys() - there.keys())
        raise IntegrityError(
            f"{_who(key)}, and {_who(other)}, answered different items of {key[2]}: {_some(missing)} missing, "
            f"{_some(added)} added",
            remedy=f"see that {both} are whole, and of the same version, split and number of questions; leave out of "
            "both what only one has",
        )
    if differing := [item for item, cluster in here.items() if there[item] != cluster]:
        raise IntegrityError(
            f"{_who(key)}, and {_who(other)}, have items of {key[2]} in different clusters, {len(differing):,} of "
            f"{len(here):,}, first {differing[0]!r}",
            remedy=f"give an item the same cluster in {both}",
        )


def _paths(side: Side, tables: Mapping[Key, Table]) -> list[tuple[int, Path]]:
    """Return where each seed of a side was read: a path each, or one path for all."""
    seeds = sorted({seed for arm, seed, _ in tables if arm == side.name})
    readings = side.readings if len(side.readings) > 1 else side.readings * len(seeds)
    return [(seed, reading.path) for seed, reading in zip(seeds, readings, strict=True)]


def _some(names: Sequence[str]) -> str:
    return f"{len(names):,} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else "none"


def _who(key: Key) -> str:
    return f"{key[0]}, seed {key[1]}"

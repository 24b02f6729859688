"""Which datasets share a baseline: those whose score minus delta is the same on most benchmarks. From numbers alone.

A delta taken before rounding may differ by one in the last place from the difference of two printed scores, so two
implied baselines agree where they are at most one apart in the last place of the coarser. Two datasets are linked
where they agree on more than half of the benchmarks that both have, three at least; what is linked, directly or
through others, is a group. One benchmark's agreement may be chance, and one contradiction may be a misprint, so
neither makes or breaks a group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tasks.audit.printed import Implied, Row

_FEWEST_SHARED = 3


class Shared(NamedTuple):
    """A group's rows by dataset and benchmark; both in the order of the table."""

    name: str
    rows: dict[str, dict[str, Row]]

    @property
    def benchmarks(self) -> list[str]:
        """The benchmarks that any of its datasets has."""
        return list(dict.fromkeys(name for rows in self.rows.values() for name in rows))

    def on(self, benchmark: str) -> list[Row]:
        """Return its rows on a benchmark."""
        return [rows[benchmark] for rows in self.rows.values() if benchmark in rows]


def shared_baselines(rows: Sequence[Row]) -> list[Shared]:
    """Return the groups, in the order in which the table first names them."""
    by_dataset: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_dataset.setdefault(row.dataset, {})[row.benchmark] = row
    groups: list[list[str]] = []
    for dataset in by_dataset:
        linked = [group for group in groups if any(_agree(by_dataset[dataset], by_dataset[one]) for one in group)]
        groups = [group for group in groups if group not in linked] + [[*(one for g in linked for one in g), dataset]]
    order = list(by_dataset)
    groups = sorted((sorted(group, key=order.index) for group in groups), key=lambda group: order.index(group[0]))
    return [Shared(_letter(k), {one: by_dataset[one] for one in group}) for k, group in enumerate(groups)]


def baseline(rows: Sequence[Row]) -> Implied | None:
    """Return the baseline of a group's rows on one benchmark; None where the numbers do not say.

    It is what more than half of them imply, the finest where they are rounded differently; where two of the finest
    contradict each other, and none lies between them, they leave it to the coarser. Or else it is the one value from
    which all others are off by no more than the sign of their delta.
    """
    counts = Counter(row.baseline for row in rows)
    shared = [value for value in counts if 2 * _near(counts, value) > len(rows)]
    for step in sorted({value.step for value in shared}):
        alike = [value for value in shared if value.step == step]
        if central := [value for value in alike if all(same(value, other) for other in alike)]:
            return min(central, key=lambda value: (-_near(counts, value), -counts[value], value.units))
    explaining = [
        value for value in counts if all(same(row.baseline, value) or off_by_sign(row, value) for row in rows)
    ]
    return explaining[0] if len(explaining) == 1 else None


def off_by_sign(row: Row, value: Implied) -> bool:
    """Whether a row has this baseline once the sign of its delta is turned."""
    return same(Implied(row.score + row.delta, row.step), value)


def same(one: Implied, other: Implied) -> bool:
    """Whether two baselines are the same but for rounding."""
    return abs(one.units - other.units) <= max(one.step, other.step)


def _near(counts: Mapping[Implied, int], value: Implied) -> int:
    return sum(count for other, count in counts.items() if same(value, other))


def _agree(ours: Mapping[str, Row], theirs: Mapping[str, Row]) -> bool:
    both = ours.keys() & theirs.keys()
    agreeing = sum(same(ours[name].baseline, theirs[name].baseline) for name in both)
    return agreeing >= _FEWEST_SHARED and 2 * agreeing > len(both)


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else f"{number + 1}"

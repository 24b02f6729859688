"""What `assay audit` prints for a person."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group as Together
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tasks.audit.config import CORRELATIONS, Audit, Chance, Defect, Group

_HIGHEST = f"{CORRELATIONS[-1]:g}"


def audit_tables(found: Audit) -> RenderableType:
    """Return the groups with their baselines, what cannot be right, and the deltas that may be more than chance."""
    beyond = [one for one in found.chances if one.math_from is not None or one.all_from is not None]
    always = sum(one.all_from == 0 for one in found.chances)
    chance = len(found.chances) - len(beyond)
    groups = f"{len(found.groups)} {'group' if len(found.groups) == 1 else 'groups'}"
    parts: list[RenderableType] = [
        _heading(f"{groups} of datasets whose deltas are measured from the same baselines"),
        *(Text(f"{group.name}  {', '.join(group.datasets)}") for group in found.groups),
        _baselines(found),
        _heading(f"{len(found.defects)} that cannot be right as printed (nothing was changed)"),
        *(_defect(number, one) for number, one in enumerate(found.defects, start=1)),
        Text(),
        _heading(f"{chance} of {len(found.chances)} deltas could be chance; these may be more"),
        _chances(beyond, found.defects),
        Text(
            f"z: over items alone, unpaired and paired at a correlation of {_HIGHEST}; training seeds would widen the "
            "error. Beyond chance, two-sided 5 % by Holm over a dataset's math benchmarks, and over all it has: at any "
            f"correlation (yes), from one on, or at none (no). {always} of all deltas are at any. ? is in doubt above."
        ),
        Text(f"{found.rows} deltas were read; {found.missing} rows have none."),
    ]
    if found.unknown:
        parts.append(Text(f"not tested, since their size is not known: {', '.join(found.unknown)}", style="yellow"))
    return Together(*parts)


def _heading(text: str) -> Text:
    return Text(text, style="bold")


def _baselines(found: Audit) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("baseline", no_wrap=True)
    for group in found.groups:
        table.add_column(group.name, justify="right", no_wrap=True)
    for name in dict.fromkeys(one.benchmark for group in found.groups for one in group.baselines):
        table.add_row(Text(name), *(_baseline(group, name) for group in found.groups))
    return table


def _baseline(group: Group, benchmark: str) -> str:
    one = next((one for one in group.baselines if one.benchmark == benchmark), None)
    if one is None:
        return "–"
    return "disputed" if one.score is None else f"{one.score:.{one.places}f}"


def _defect(number: int, one: Defect) -> Text:
    lines = ", ".join(line.rpartition(":")[2] for line in one.lines)
    where = f"{', '.join(one.datasets)}, {one.benchmark} (line {lines})"
    mends = "".join(f"\n     would mend it: {mend}" for mend in one.mends) or "\n     no change of one number mends it"
    return Text.assemble(f"{number:>3}  ", (one.fault, "red"), f": {where}\n     {one.said}{mends}")


def _chances(beyond: Sequence[Chance], defects: Sequence[Defect]) -> Table:
    doubted = {(dataset, one.benchmark) for one in defects for dataset in one.datasets}
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("dataset", overflow="fold")
    table.add_column("benchmark", no_wrap=True)
    for heading in ("delta", "z", f"z at {_HIGHEST}", "math", "all"):
        table.add_column(heading, justify="right", no_wrap=True)
    for before, one in zip([None, *beyond], beyond, strict=False):
        first = before is None or before.dataset != one.dataset
        delta = f"{one.delta:+.{one.places}f}{'?' if (one.dataset, one.benchmark) in doubted else ' '}"
        math = _from(one.math_from) if one.math else "–"
        z = _z(one, "0"), _z(one, _HIGHEST)
        table.add_row(Text(one.dataset if first else ""), Text(one.benchmark), delta, *z, math, _from(one.all_from))
    return table


def _z(one: Chance, correlation: str) -> str:
    z = one.z[correlation]
    return "∞" if z is None else f"{z:+.1f}"


def _from(correlation: float | None) -> str:
    if correlation is None:
        return "no"
    return "yes" if correlation == 0 else f"from {correlation:g}"

"""The audit of a printed table: who shares a baseline, what contradicts that, and what could be chance. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.audit.config import Audit, Baseline, Group, Known
from tasks.audit.defects import defects
from tasks.audit.groups import Shared, baseline, shared_baselines
from tasks.audit.noise import chances
from tasks.audit.printed import Printed


def audit(printed: Printed, known: Mapping[str, Known]) -> Audit:
    """Return what a table says by its own numbers.

    Args:
        known: what is known of benchmarks, by the names that the table has for them.
    """
    groups = shared_baselines(printed.rows)
    return Audit(
        rows=len(printed.rows),
        missing=printed.missing,
        groups=tuple(_group(group, printed) for group in groups),
        defects=tuple(found for group in groups for found in defects(group, known, printed)),
        chances=tuple(
            chance
            for group in groups
            for rows in group.rows.values()
            for chance in chances(list(rows.values()), known, printed)
        ),
        unknown=tuple(dict.fromkeys(row.benchmark for row in printed.rows if row.benchmark not in known)),
    )


def _group(group: Shared, printed: Printed) -> Group:
    return Group(
        name=group.name,
        datasets=tuple(group.rows),
        baselines=tuple(_baseline(group, benchmark, printed) for benchmark in group.benchmarks),
    )


def _baseline(group: Shared, benchmark: str, printed: Printed) -> Baseline:
    rows = group.on(benchmark)
    score = baseline(rows)
    return Baseline(
        benchmark=benchmark,
        score=None if score is None else printed.points(score.units),
        places=max(printed.places(row.step) for row in rows),
        implied={row.dataset: printed.points(row.baseline.units) for row in rows},
    )

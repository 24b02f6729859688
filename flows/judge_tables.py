"""What `assay judge` and `assay review` print for a person."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.judging import BadRow, JudgedAnswer
from tasks.judge.review import Quality, Share


def verdict_line(result: JudgedAnswer | BadRow) -> Text:
    """Return the verdict on one answer, and its evidence, on one line."""
    if isinstance(result, BadRow):
        return Text(f"line {result.line:<6} not judged  {result.problem}", style="yellow")
    place = f"line {result.line}" + (f".{result.index}" if result.index else "")
    colour = {"right": "green", "wrong": "red"}.get(result.verdict, "yellow")
    said = f"  {result.method}: {result.evidence}".replace("\n", " ")
    return Text.assemble(f"{place:<11} ", (f"{result.verdict:<10}", colour), said)


def quality_table(found: Quality) -> RenderableType:
    """Return what labels say of a filter: what was labelled, then precision and recall."""
    table = Table("verdict", "answers", "labelled", "of them right", box=box.SIMPLE, pad_edge=False)
    for name, stratum in found.strata.items():
        table.add_row(name, f"{stratum.answers:,}", f"{stratum.labelled:,}", f"{stratum.truly_right:,}")
    return Group(table, Text(f"precision  {_interval(found.precision)}"), Text(f"recall     {_interval(found.recall)}"))


def _interval(share: Share) -> str:
    if share.estimate is None:
        return "not known: too few labels"
    return f"{100 * share.estimate:.1f} %, 95 % interval {100 * share.low:.1f} % to {100 * share.high:.1f} %"

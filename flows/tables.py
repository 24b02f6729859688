"""What the command line prints for a person: tables of Rich."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.doctor import Finding
from flows.funnel import Step
from flows.record import StudyRecord
from flows.retention import Judging
from flows.trace import Event
from tasks.core.results import Comparison, Delta, FilterDelta

_COLOURS = {"helps": "green", "hurts": "red", "trades": "yellow", "contaminated": "magenta"}


def study_table(record: StudyRecord, comparison: Comparison) -> RenderableType:
    """Return a study's verdicts with their sentences, and every delta with its interval."""
    return comparison_table(record.study.name, comparison)


def comparison_table(name: str, comparison: Comparison) -> RenderableType:
    """Return the verdicts of a comparison with their sentences, and every delta with its interval."""
    seeds = f"{len(comparison.seeds)} {'seed' if len(comparison.seeds) == 1 else 'seeds'}"
    title = Text(f"{name}: each candidate against the control, in points, {seeds}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for heading in ("candidate", "verdict", "benchmark"):
        table.add_column(heading, no_wrap=heading == "verdict", overflow="fold")
    for heading in ("delta", f"{100 * comparison.confidence:g} % interval", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for candidate in comparison.candidates:
        colour = _COLOURS.get(candidate.verdict, "")
        for index, delta in enumerate(candidate.deltas):
            first = index == 0
            verdict = Text(candidate.verdict, style=f"bold {colour}") if first else ""
            table.add_row(Text(candidate.name if first else ""), verdict, *_cells(delta))
        table.add_section()
    sentences = [Text(f"{c.name}: {c.sentence} {c.more}".rstrip()) for c in comparison.candidates]
    warnings = [*comparison.warnings, *(f"{c.name}: {w}" for c in comparison.candidates for w in c.warnings)]
    worth = [_filters_table(comparison)] if comparison.filters else []
    return Group(table, *worth, *sentences, *(Text(f"warning: {warning}", style="yellow") for warning in warnings))


def _filters_table(comparison: Comparison) -> Table:
    title = "what each filter is worth: the candidate minus the same recipe without it, in points"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for heading in ("candidate", "filter", "benchmark"):
        table.add_column(heading, overflow="fold")
    for heading in ("worth", f"{100 * comparison.confidence:g} % interval", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in comparison.filters:
        table.add_row(Text(one.candidate), one.filter, *_cells(one))
    return table


def _cells(delta: Delta | FilterDelta) -> tuple[RenderableType, ...]:
    return (
        Text(delta.benchmark),
        f"{delta.delta:+.2f}",
        f"{delta.low:+.2f} to {delta.high:+.2f}",
        f"{delta.n_items:,}",
    )


def trace_table(events: Sequence[Event]) -> RenderableType:
    """Return a row's way, an event a line."""
    table = Table("stage", "what happened", "artifact")
    for event in events:
        table.add_row(event.stage, Text(event.what), event.artifact)
    return table


def funnel_table(name: str, steps: Sequence[Step]) -> RenderableType:
    """Return how a dataset came about: what each step kept, dropped and took."""
    table = Table(title=Text(name), title_justify="left", box=box.SIMPLE, pad_edge=False)
    table.add_column("step", no_wrap=True)
    for heading in ("rows", "dropped", "tokens", "seconds", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("why dropped")
    for step in steps:
        why = ", ".join(f"{count:,} {reason}" for reason, count in step.reasons.items() if count)
        tokens, cost = f"{step.tokens:,}" if step.tokens else "", f"{step.cost:,.2f}" if step.cost else ""
        table.add_row(step.stage, f"{step.rows:,}", f"{step.dropped:,}", tokens, f"{step.seconds:,.1f}", cost, why)
    return table


def retention_table(judging: Judging) -> RenderableType:
    """Return what a judging kept, by type of reference and by source, and how far answers agreed."""
    title = f"what was judged for {judging.step}: {judging.artifact}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    table.add_column("", overflow="fold")
    for heading in ("questions", "with a right one", "answers", "right", "wrong", "undecided"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in judging.groups().items():
        counts = (found.questions, found.kept, found.answers, found.right, found.wrong, found.undecided)
        table.add_row(Text(name), *(f"{count:,}" for count in counts))
    return Group(table, *map(Text, judging.said()))


def doctor_table(findings: Sequence[Finding]) -> RenderableType:
    """Return what the doctor found, and the remedies."""
    table = Table("engine", "works", "version", "device", "seconds", "remedy")
    for finding in findings:
        works = Text("yes", style="green") if finding.works else Text("no", style="bold red")
        remedy = finding.remedy if not finding.works else ""
        table.add_row(finding.engine, works, finding.version, finding.device, f"{finding.seconds:.1f}", remedy)
    return table

"""What the command line prints for a person: tables and trees of Rich."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from flows.doctor import Finding
from flows.funnel import Step
from flows.outline import Outline
from flows.record import StudyRecord
from flows.retention import Judging
from flows.trace import Event
from tasks.core.results import Comparison, Delta, FilterDelta

_COLOURS = {"helps": "green", "hurts": "red", "trades": "yellow", "contaminated": "magenta"}
_STATES = {"cached": "green", "to run": "yellow", "waiting": "dim"}


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


def outline_tree(outline: Outline) -> RenderableType:
    """Return a study's steps by stage, what is cached and what would run, and the cost of the rest."""
    tree = Tree(f"[bold]{escape(outline.study)}[/]  [dim]{outline.study_hash[:12]}[/]")
    for stage in dict.fromkeys(step.stage for step in outline.steps):
        steps = [step for step in outline.steps if step.stage == stage]
        counts = Counter[str](step.state for step in steps)
        said = ", ".join(f"{counts[state]} {state}" for state in _STATES if counts[state])
        branch = tree.add(f"[bold]{stage}[/]  {said}")
        for step in steps:
            needs = f"  [dim]from {escape(', '.join(step.needs))}[/]" if 0 < len(step.needs) <= 4 else ""
            branch.add(f"[{_STATES[step.state]}]{step.state:>7}[/]  {escape(step.name)}{needs}")
    cost = (
        f"to run: {outline.anneals} of {outline.total_anneals} anneals, {outline.tokens:,} of "
        f"{outline.total_tokens:,} training tokens, {outline.evaluations} evaluations. Nothing was started."
    )
    return Group(tree, Text(cost), *(Text(f"warning: {warning}", style="yellow") for warning in outline.warnings))


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

"""A study's steps for a person: a line a stage, and of what the store lacks a line an arm; `--json` lists each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from flows.outline import Outline, Step

_STATES = {"cached": "green", "to run": "yellow", "waiting": "dim"}
#: An arm's missing steps are named where they are no more than this: seeds are, seeds on benchmarks are not.
_NAMED = 5


def outline_tree(outline: Outline) -> RenderableType:
    """Return a study's steps by stage, what is cached and what would run, and the cost of the rest."""
    tree = Tree(f"[bold]{escape(outline.study)}[/]  [dim]{outline.study_hash[:12]}[/]")
    for stage in dict.fromkeys(step.stage for step in outline.steps):
        steps = [step for step in outline.steps if step.stage == stage]
        needs = dict.fromkeys(need.partition(" ")[0] for step in steps for need in step.needs)
        source = f"  [dim]from {', '.join(needs)}[/]" if needs else ""
        branch = tree.add(f"[bold]{stage}[/]  {_counted(steps)}{source}")
        for arm in dict.fromkeys(_arm(step) for step in steps if step.name != outline.study):
            _add_arm(branch, arm, [step for step in steps if _arm(step) == arm])
    cost = (
        f"to run: {outline.anneals} of {outline.total_anneals} anneals, {outline.tokens:,} of "
        f"{outline.total_tokens:,} training tokens, {outline.evaluations} evaluations. Nothing was started."
    )
    return Group(tree, Text(cost), *(Text(f"warning: {warning}", style="yellow") for warning in outline.warnings))


def _add_arm(branch: Tree, arm: str, steps: Sequence[Step]) -> None:
    """Add what an arm lacks of a stage."""
    missing = [step for step in steps if step.state != "cached"]
    if not missing:
        return
    rest = [step.name.removeprefix(arm).removeprefix("/") for step in missing]
    named = f"  [dim]{escape(', '.join(rest))}[/]" if all(rest) and len(rest) <= _NAMED else ""
    branch.add(f"{escape(arm)}  {_counted(steps)}{named}")


def _counted(steps: Iterable[Step]) -> str:
    counts = Counter[str](step.state for step in steps)
    return ", ".join(f"[{colour}]{counts[state]} {state}[/]" for state, colour in _STATES.items() if counts[state])


def _arm(step: Step) -> str:
    return step.name.partition("/")[0]

"""What `assay plan` prints for a person, beside the study's steps: what it can show, costs and needs."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.costing import Bill
from flows.fitting import Need
from flows.outline_tree import outline_tree
from flows.planning import Plan
from tasks.compare.chances import CHANCE
from tasks.core.results import HelpsPlan, PowerPlan

#: GiB that are said.
_SMALL = 0.05
#: The chance from which a guard is named that stands in the way of "helps".
_OFTEN = 0.1
_FITS = {"fits": "green", "tight": "yellow", "does not fit": "bold red", "unknown": "dim"}


def plan_view(plan: Plan) -> RenderableType:
    """Return a study's steps, and what it can show, costs and needs; eighty columns are enough."""
    return Group(
        outline_tree(plan.outline),
        Text(),
        _power_table(plan.power),
        *_power_sentences(plan),
        Text(),
        _bill_table(plan.bill),
        *(Text(f"{cost.stage}: {cost.what}; {cost.basis}: {cost.source}") for cost in plan.bill.costs),
        Text(),
        _needs_table(plan.needs),
        *_needs_sentences(plan.needs),
        *(Text(f"warning: {warning}", style="yellow") for warning in plan.warnings),
        *(Text(f"refused by `assay run`: {refusal}", style="bold red") for refusal in plan.refusals),
    )


def _power_table(power: PowerPlan) -> Table:
    table = _table(f"What {power.seeds} seeds can show", ("benchmark", "role"))
    levels = (f"at {one.times:g}x" for one in power.chances)
    for heading in ("items", "smallest", *levels):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in power.benchmarks:
        smallest = "none" if one.smallest_effect is None else f"{one.smallest_effect:.1f}"
        chances = (level.by_benchmark.get(one.benchmark) for level in power.chances)
        shown = ("" if chance is None else f"{100 * chance:.0f} %" for chance in chances)
        table.add_row(one.benchmark, one.role, f"{one.n_items:,}", smallest, *shown)
    table.add_row("any primary", "", "", "", *(f"{100 * one.any_primary:.0f} %" for one in power.chances))
    return table


def _power_sentences(plan: Plan) -> Iterator[Text]:
    noise, change = plan.power.noise, plan.change
    degrees = "" if noise.degrees is None else f" ({noise.degrees} degrees of freedom)"
    effects = ", ".join(f"{effect:g}" for effect in dict.fromkeys(plan.power.effect.values()))
    yield Text(
        "smallest: the difference, in points, that 4 of 5 studies would find; then the chance to see the declared gain "
        f"of {effects} points, at multiples of the training noise. Training noise: {noise.points:g} points, from "
        f"{noise.source}{degrees}."
    )
    if plan.helps:
        yield from _helps_sentences(plan.helps)
    hours = "" if change.device_hours is None else f": {change.device_hours:,.2f} device-hours more"
    money = "" if change.money is None else f", {change.money:,.2f} in money"
    yield Text(f"To see the declared gain: {change.said}{hours}{money}.")


def _helps_sentences(helps: HelpsPlan) -> Iterator[Text]:
    """Yield how likely "helps" is, and where its guards make it unlikely, which of them and what would mend it."""
    low = helps.unharmed < CHANCE
    yield Text(
        f'Where the gain is real and nothing else changes, "helps" is said in {100 * helps.chance:.0f} % of studies: '
        f"no guard stands in its way in {100 * helps.unharmed:.0f} %.",
        style="yellow" if low else "",
    )
    if not low:
        return
    often = [f"{name} {100 * chance:.0f} %" for name, chance in helps.in_the_way.items() if chance >= _OFTEN]
    if often:
        yield Text(f"What stands in its way, each by itself: {', '.join(often)}.")
    ways = ["fewer guards"]
    if helps.margins:
        margins = ", ".join(f"{domain}: {margin:g}" for domain, margin in helps.margins.items())
        wide = f"compare: {{domain_margins: {{{margins}}}}}"
        ways.append(f"wider margins ({wide} makes it {100 * helps.with_margins:.0f} %)")
    if helps.seeds is not None:
        ways.append(f"more seeds ({helps.seeds} make it {100 * CHANCE:.0f} % or more)")
    yield Text(f"What would mend it: {', or '.join(ways)}.")


def _bill_table(bill: Bill) -> Table:
    table = _table("What is left to pay for (a device is a GPU, or a core where there is none)", ("stage",))
    for heading in ("tokens", "device-hours", "money"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("known how", no_wrap=True)
    for cost in bill.costs:
        table.add_row(cost.stage, _count(cost.tokens), _hours(cost.device_hours), _money(cost.money), cost.basis)
    table.add_row("all", "", _hours(bill.device_hours), _money(bill.money), "")
    return table


def _needs_table(needs: tuple[Need, ...]) -> Table:
    table = _table("The memory of one process at its peak, in GiB", ("stage", "model"))
    for heading in ("needs", "of", "on the host"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for need in needs:
        available = "unknown" if need.available_gib is None else f"{need.available_gib:,.1f}"
        host = f"{need.host_gib:,.1f}" if need.host_gib else ""
        needed = f"{need.gib:,.1f}" if need.parts else "unknown"
        fit = Text(need.fit, style=_FITS[need.fit])
        table.add_row(need.stage, Text(need.name), needed, available, host, fit)
    return table


def _needs_sentences(needs: tuple[Need, ...]) -> Iterator[Text]:
    for need in needs:
        parts = ", ".join(f"{what} {gib:,.1f}" for what, gib in need.parts.items() if gib >= _SMALL)
        said = "; ".join(part for part in (parts, need.remedy) if part)
        if said:
            yield Text(f"{need.stage}: {said}")


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def _count(tokens: int | None) -> str:
    return "" if tokens is None else f"{tokens:,}"


def _hours(hours: float | None) -> str:
    return "unknown" if hours is None else f"{hours:,.2f}"


def _money(money: float | None) -> str:
    return "" if money is None else f"{money:,.2f}"

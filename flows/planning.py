"""What a study can show, costs and needs, said before anything is spent; and whether it is worth starting.

::

    outline   the steps, and which of them the store has
    power     the smallest effect each benchmark can show, and the chance to see the declared one
    bill      what is left to pay for
    needs     the memory of each stage, and whether its devices have it
    change    the cheapest change that would make the study worth running

Nothing is started: models are looked at on torch's meta device, files are read in part, the store is only read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from flows.chances import earlier_scores, helps_of, power_of
from flows.costing import Bill, bill, price_of_an_hour
from flows.fitting import Need, encoder_folders, needs, teacher_folders
from flows.outline import Outline, outline
from flows.study import CONTROL
from flows.work import Work
from tasks.compare.power import ITEM_SHARE
from tasks.core.errors import StudyError
from tasks.core.identity import Frozen
from tasks.core.memory import ModelShape
from tasks.core.results import HelpsPlan, Needed, PowerPlan
from tasks.evaluate.registry import REGISTRY


class Change(Frozen):
    """The cheapest change that would let a study see its declared effect in 4 of 5 cases.

    Attributes:
        kind: what is changed; None where no number of seeds or items is enough.
        said: the change in words, as the study's file has it.
        device_hours, money: what it costs on top; None where that is not known.
        helps: the chance of "helps" with the change made, guards counted; None where it is not known, or none guards.
    """

    kind: Literal["nothing", "seeds", "items"] | None
    said: str
    device_hours: float | None = None
    money: float | None = None
    helps: float | None = None


class Plan(Frozen):
    """All that can be said of a study before it is run.

    Attributes:
        helps: how likely "helps" is at the assumed noise; None where there are no guards, or there is one seed.
        refusals: why `assay run` would not start it; empty where it would.
        warnings: what a reader should know, beside the outline's own.
    """

    outline: Outline
    power: PowerPlan
    helps: HelpsPlan | None
    bill: Bill
    needs: tuple[Need, ...]
    change: Change
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]

    def for_scripts(self) -> dict[str, Any]:
        """Return what ``assay plan --json`` prints: the outline's fields, and the rest beside them."""
        rest = self.model_dump(mode="json", exclude={"outline", "warnings"})
        rest["power"]["helps"] = rest.pop("helps")
        warnings = [*self.outline.warnings, *self.warnings]
        return {**self.outline.model_dump(mode="json"), **rest, "warnings": warnings}


def plan(work: Work) -> Plan:
    """Return what a study can show, costs and needs."""
    return _planned(work, outline(work))


def check_worth(work: Work) -> None:
    """Refuse a study that cannot show what it asks, or whose models do not fit, before anything is started.

    A study that has an anneal in the store was begun, and goes on whatever its chances; one that is all in the store is
    not looked at.

    Raises:
        StudyError: with every reason, and what would mend it; not where `plan.anyway` is set.
    """
    found = outline(work)
    if work.runtime.plan.anyway or all(step.state == "cached" for step in found.steps):
        return
    if refusals := _planned(work, found).refusals:
        raise StudyError(
            "; ".join(refusals),
            remedy="see `assay plan`; or run it all the same with --anyway (`plan: {anyway: true}` in the runtime)",
        )


def _planned(work: Work, found: Outline) -> Plan:
    shapes, unread = _shapes(work)
    cost = bill(work, found, shapes)
    earlier, unusable = earlier_scores(work)
    power = power_of(work, earlier, ITEM_SHARE if cost.item_share is None else cost.item_share)
    memory = needs(work, shapes)
    helps = helps_of(work, earlier, power)
    change = _with_guards(_change(work, power, cost), helps)
    return Plan(
        outline=found,
        power=power,
        helps=helps,
        bill=cost,
        needs=memory,
        change=change,
        refusals=(*_hopeless(work, found, power, change), *_too_large(cost, memory)),
        warnings=(*unread, *unusable),
    )


def _shapes(work: Work) -> tuple[dict[Path, ModelShape], tuple[str, ...]]:
    """Return the shape of the base and of what is still asked, as far as transformers knows it, and what is said of the
    others."""
    from tasks.anneal.model_shape import read_shape

    shapes, unread = {work.base.folder: read_shape(work.base.folder)}, list[str]()
    for folder in teacher_folders(work):
        try:
            shapes[folder] = read_shape(folder)
        except StudyError as error:  # vLLM may know it all the same
            unread.append(f"what it needs is not known: {error.message}")
    for folder in encoder_folders(work):
        try:
            shapes[folder] = read_shape(folder)
        except StudyError:  # DistilBERT, ModernBERT and T5 are no causal models
            unread.append(
                f"{folder}: this encoder's size is not known, nor what its vectors cost, since transformers makes no "
                "causal language model of its config; it can encode all the same"
            )
    return shapes, tuple(unread)


def _hopeless(work: Work, found: Outline, power: PowerPlan, change: Change) -> tuple[str, ...]:
    chance, least = _chance(power), work.runtime.plan.least_chance
    if _has_begun(found) or chance >= least:
        return ()
    noise = f"training noise of {power.noise.points:g} points ({power.noise.source})"
    return (
        f"compare.effect: the chance to see a gain of {work.study.compare.effect:g} points is {100 * chance:.0f} % at "
        f"a {noise}, and {100 * least:.0f} % is the least; {change.said}",
    )


def _has_begun(found: Outline) -> bool:
    """Say whether a candidate of the study was trained already: then it goes on. Its control may be another study's."""
    trained = (step.name for step in found.steps if step.stage == "anneal" and step.state == "cached")
    return any(not name.startswith(f"{CONTROL}/") for name in trained)


def _too_large(cost: Bill, memory: tuple[Need, ...]) -> tuple[str, ...]:
    left = {"retrieve", *(one.stage for one in cost.costs)}  # a search costs too little to be on the bill
    return tuple(
        f"{need.stage} of {need.name}: it needs {need.gib:,.1f} GiB of a device that has {need.available_gib:,.1f} for "
        f"it{_on_the_host(need)}; {need.remedy}"
        for need in memory
        if need.fit == "does not fit" and need.stage in left
    )


def _on_the_host(need: Need) -> str:
    return f", and {need.host_gib:,.1f} GiB of the host beside it" if need.host_gib else ""


def _chance(power: PowerPlan) -> float:
    """Return the chance to see the declared effect at the assumed noise."""
    return next(one.any_primary for one in power.chances if one.times == 1)


def _change(work: Work, power: PowerPlan, cost: Bill) -> Change:
    needed, seeds = power.needed, power.seeds
    items = needed.items_times if _can_grow(work, power, needed.items_times or 1) else None
    if needed.cheapest == "nothing":
        return Change(kind="nothing", said=f"the study as it is would see it in {100 * needed.now:.0f} % of studies")
    if items is not None and (needed.cheapest == "items" or needed.seeds is None):
        how = "raise `limit`, take more `subsets`, or add rows to your own files"
        said = f"{items:.1f} times as many items on every primary ({how})"
        return _priced(work, "items", said, needed, _times(items - 1, cost.item_hours))
    if needed.seeds is not None:
        said = f"{needed.seeds} seeds in place of {seeds}"
        return _priced(work, "seeds", said, needed, _times(needed.seeds - seeds, cost.seed_hours))
    smallest = [one.smallest_effect for one in power.benchmarks if one.role == "primary" and one.smallest_effect]
    within = f": the smallest gain that it can show is {min(smallest):.1f} points" if smallest else ""
    return Change(kind=None, said=f"no number of seeds or items looked at is enough{within}")


def _priced(work: Work, kind: Literal["seeds", "items"], said: str, needed: Needed, hours: float | None) -> Change:
    price = price_of_an_hour(work)
    return Change(
        kind=kind,
        said=f"{said} would see it in {100 * needed.chance:.0f} % of studies",
        device_hours=hours,
        money=hours * price if price and hours is not None else None,
    )


def _with_guards(change: Change, helps: HelpsPlan | None) -> Change:
    """Return a change that says how often "helps" is said once it is made: an effect that is seen is not enough."""
    if helps is None or change.kind is None:
        return change
    chance = {"nothing": helps.chance, "seeds": helps.with_seeds, "items": helps.with_items}[change.kind]
    if chance is None:
        return change
    said = f'{change.said}, and say "helps" in {100 * chance:.0f} %'
    return change.model_copy(update={"helps": chance, "said": said})


def _can_grow(work: Work, power: PowerPlan, times: float) -> bool:
    """Say whether every primary can have so many times the items: rows can be added to a file of one's own, and a
    benchmark of the registry ends."""
    counts = {one.benchmark: one.n_items for one in power.benchmarks if one.role == "primary"}
    primaries = (one for one in work.study.benchmarks if one.name in counts and not one.custom)
    return all(times * counts[one.name] <= max(REGISTRY[one.name].items) for one in primaries)


def _times(factor: float, hours: float | None) -> float | None:
    return None if hours is None else factor * hours

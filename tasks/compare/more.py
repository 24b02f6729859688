"""What more it would take, where a study gave no verdict or its data leaked: seeds, items, training tokens, clean rows.

With f times the seeds and f times the items, every part of a standard error falls by the root of f or faster (items,
answers that flip, training noise: see `deltas`), so an interval that has to be x times narrower takes at most x^2 times
both. What a gain takes that was not seen is `power.needed_after`'s to say, from the spreads that the study found. Items
are asked for only as far as there are any: a whole benchmark has no more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scipy import special

from tasks.compare.config import CompareConfig
from tasks.compare.findings import Evidence
from tasks.compare.power import ITEM_SHARE, needed_after
from tasks.compare.sentences import listed, subject
from tasks.core.results import Delta, DomainDelta, Lacking, Needed

_TAKES: Mapping[Lacking, str] = {
    "nothing": "",
    "seeds": "It takes more seeds: two borrow their variance from other arms, three need not.",
    "company": "It takes a third seed or a second candidate.",
    "agreement": "Seeds do not make graders agree: look at the answers on which they do not, which the comparison "
    "lists, and mend what one of them misreads (a reference, or the benchmark's pattern).",
    "clean items": "Take the rows that match benchmark items out of the dataset and train again, or decide by a "
    "benchmark that it does not match.",
}


def what_it_takes(
    lacking: Lacking, evidence: Evidence, candidates: int, config: CompareConfig, most: Mapping[str, int]
) -> str:
    """Return what more it would take to tell, in a sentence or two; empty where nothing is lacking.

    Args:
        evidence: on the candidate; `candidates` counts those of the study.
        most: how many items there are of a benchmark; one that is left out may have any number.
    """
    if lacking == "power":
        needed = needed_after(evidence.deltas, candidates=candidates, config=config)
        return _to_see_an_effect(needed, evidence.deltas, config, most)
    if lacking == "narrower guards":
        return _to_narrow(evidence, config, most)
    return _TAKES[lacking]


def _to_narrow(evidence: Evidence, config: CompareConfig, most: Mapping[str, int]) -> str:
    """Return what it would take to show every guard and domain in doubt within its margin, the rest as it was found."""
    alarms = [delta for delta in evidence.deltas if delta.finding == "alarm"]
    doubted: list[Delta | DomainDelta] = [d for d in evidence.deltas if d.finding == "not within margin"]
    doubted += [domain for domain in evidence.domains if not domain.within_margin]
    narrower = {subject(one): _narrower(one, config) for one in doubted}
    fell = [name for name, times in narrower.items() if times is None]
    whole = [delta.benchmark for delta in alarms if delta.n_items >= most.get(delta.benchmark, math.inf)]
    said = []
    if more := [delta.benchmark for delta in alarms if delta.benchmark not in whole]:
        said.append(f"More items of {listed(more)} would tell whether its fall is chance.")
    if whole:
        said.append(
            f"There are no more items of {listed(whole)}: more seeds can only tell whether training luck made its fall."
        )
    if fell:
        said.append(f"No larger study would clear {listed(fell)}: as found, the fall is more than the margin.")
    elif narrower:
        wider = max(times for times in narrower.values() if times is not None)
        it_takes = _size(wider, evidence, doubted, most)
        said.append(f"To show {listed(list(narrower))} within the margin takes {it_takes}.")
    return " ".join(said)


def _size(times: float, evidence: Evidence, doubted: Sequence[Delta | DomainDelta], most: Mapping[str, int]) -> str:
    """Return what makes intervals so many times narrower."""
    names = {name for one in doubted for name in ([one.benchmark] if isinstance(one, Delta) else one.benchmarks)}
    short = _short([delta for delta in evidence.deltas if delta.benchmark in names], times**2, most)
    if not short:
        return f"up to {_times(times**2)} the seeds and the items"
    return (
        f"intervals {_times(times)} narrower, and there are not so many items of {listed(short)}: more seeds narrow "
        "what training adds, and no more"
    )


def _short(deltas: Sequence[Delta], times: float, most: Mapping[str, int]) -> list[str]:
    """Return the benchmarks that have less than so many times the items."""
    return [delta.benchmark for delta in deltas if times * delta.n_items > most.get(delta.benchmark, math.inf)]


def _narrower(one: Delta | DomainDelta, config: CompareConfig) -> float | None:
    """Return how many times narrower an interval has to be to lie above minus the margin; None where none would."""
    centre, half, margin = (one.low + one.high) / 2, (one.high - one.low) / 2, one.margin
    if margin is None or centre + margin <= 0:
        return None
    # The margin is tested one-sided at the alarms' level; by the normal's quantiles, its bound lies this much nearer.
    nearer = special.ndtri(1 - config.alarm_alpha) / special.ndtri(0.5 + config.confidence / 2)
    return max(1.0, float(nearer) * half / (centre + margin))


def _to_see_an_effect(needed: Needed, deltas: Sequence[Delta], config: CompareConfig, most: Mapping[str, int]) -> str:
    seeds, goal = deltas[0].n_seeds, f"a gain of {config.effect:g} points with a chance of {100 * needed.chance:.0f} %"
    if needed.cheapest == "nothing":
        return (
            f"A gain of {config.effect:g} points would have been seen with a chance of {100 * needed.now:.0f} %: look "
            "for a smaller one only if it is worth more than that costs."
        )
    primaries = [delta for delta in deltas if delta.role == "primary"]
    ways = []
    if needed.seeds is not None:
        instead = f"{needed.seeds} seeds in place of {seeds} (all new, unless looks were declared)"
        ways.append(f"{instead}, so {_times(needed.seeds / seeds)} the training")
    if needed.items_times is not None and not _short(primaries, needed.items_times, most):
        ways.append(f"{_times(needed.items_times)} the items")
    if not ways:
        both = (min(delta.smallest_effect for delta in primaries) / config.effect) ** 2
        if short := _short(primaries, both, most):
            return (
                f"To see {goal}, more seeds alone would not do, and there are too few items of {listed(short)}: a "
                "larger benchmark would have to decide too."
            )
        return f"To see {goal}, neither more seeds nor more items alone would do; it takes about {_times(both)} both."
    share = f"{100 * ITEM_SHARE:.0f} %"
    cheaper = f" The {needed.cheapest} cost less, if {share} of the cost is evaluation." if len(ways) == 2 else ""
    return f"To see {goal} takes {', or '.join(ways)}.{cheaper}"


def _times(factor: float) -> str:
    return f"{math.ceil(10 * factor) / 10:g} times"

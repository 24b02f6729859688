"""What a candidate cost, read from the manifests: making its data, annealing its arm; and what a point of it cost.

The gain is on the plain mean of the benchmarks that decide. Costs are measured, so only the gain is uncertain, and
Fieller's interval of the ratio (Fieller, JRSS B 16, 1954) is the cost over the gain's two ends. Where the gain's
interval holds zero, no amount is too much for a point, so there is no upper bound; where it lies below zero, no point
was gained.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flows.funnel import funnel
from flows.record import StudyRecord
from tasks.core.costs import CostPerPoint, PerPoint, Spent
from tasks.core.results import CandidateResult, OverallDelta
from tasks.core.store import ArtifactRef, Manifest, Store

_HOUR = 3600.0
#: Differences are given to a millionth of a point: a smaller gain is none.
_LEAST_GAIN = 1e-6


def costs_per_point(
    store: Store, record: StudyRecord, candidates: Iterable[CandidateResult], device_price: float = 0.0
) -> list[CostPerPoint]:
    """Return what each candidate's points cost; candidates whose overall gain is not known are left out.

    Args:
        device_price: of one device (GPU, or core where there is none) of an anneal or an encoder for an hour.
    """
    return [
        cost_per_point(candidate.name, candidate.overall, spent(store, record, candidate.name, device_price))
        for candidate in candidates
        if candidate.overall is not None
    ]


def spent(store: Store, record: StudyRecord, candidate: str, device_price: float = 0.0) -> Spent:
    """Return what the models that made a candidate's data took, encoders too, and its arm's anneals over all seeds.

    The control's anneals serve every candidate and are left out; so are reading, judging and the evaluation.
    """
    steps = funnel(store, record.records[candidate])
    made = [store.manifest(ArtifactRef(path=step.artifact, digest="", num_rows=0)) for step in steps]
    asked = [manifest for manifest in made if manifest.identity.stage == "generate"]
    embedded = [manifest for manifest in made if manifest.identity.stage == "embed"]
    trained = [store.manifest(run.model) for run in record.runs if run.arm == candidate]
    unpaid = [*map(_embedded_hours, embedded), *map(_trained_hours, trained)]
    hours = [*map(_asked_hours, asked), *unpaid]
    paid = sum(float(manifest.provenance.get("cost", 0.0)) for manifest in asked)
    money = paid + device_price * sum(amount for _, amount in unpaid)
    return Spent(
        gpu_hours=round(sum(amount for on_gpu, amount in hours if on_gpu), 6),
        core_hours=round(sum(amount for on_gpu, amount in hours if not on_gpu), 6),
        model_tokens=sum(step.tokens for step in steps),
        trained_tokens=sum(int(manifest.provenance.get("tokens", 0)) for manifest in trained),
        money=round(money, 6) if money else None,
    )


def cost_per_point(candidate: str, gained: OverallDelta, spent: Spent) -> CostPerPoint:
    """Return what each point gained cost, in every unit that was spent; pure."""
    units = tuple(per_point(unit, total, gained) for unit, total in _units(spent))
    return CostPerPoint(
        candidate=candidate,
        gain=gained.delta,
        gain_low=gained.low,
        gain_high=gained.high,
        spent=spent,
        units=units,
        sentence=_sentence(gained, units),
    )


def per_point(unit: str, total: float, gained: OverallDelta) -> PerPoint:
    """Return what a point cost: the total over the gain, and over both ends of its interval where they are above zero.

    With a cost that is known, Fieller's set of ratios is exactly those of the gains in the interval; where it holds
    zero, it reaches from the cost of the largest gain without bound.
    """
    estimate, low, high = (
        total / gain if gain >= _LEAST_GAIN else None for gain in (gained.delta, gained.high, gained.low)
    )
    return PerPoint(unit=unit, total=total, estimate=estimate, low=low, high=high)


def _units(spent: Spent) -> Iterator[tuple[str, float]]:
    named = (
        ("money", spent.money or 0.0),
        ("GPU-hours", spent.gpu_hours),
        ("core-hours", spent.core_hours),
        ("tokens trained on", float(spent.trained_tokens)),
        ("tokens of models", float(spent.model_tokens)),
    )
    return (one for one in named if one[1] > 0)


def _sentence(gained: OverallDelta, units: tuple[PerPoint, ...]) -> str:
    if gained.high < _LEAST_GAIN:
        return "No point was gained: the whole interval of the gain lies at or below zero."
    if gained.low >= _LEAST_GAIN:
        return "Each point has a price: the gain's interval lies above zero."
    least = f" A point cost {_amount(units[0].low)} {units[0].unit} at the least." if units else ""
    return f"What a point cost has no upper bound, since the gain may be none at all.{least}"


def _amount(number: float | None) -> str:
    return "nothing" if number is None else f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def _asked_hours(manifest: Manifest) -> tuple[bool, float]:
    """Return whether a model answered on GPUs, and its device-hours; one behind an endpoint has none."""
    runtime = manifest.provenance.get("runtime", {})
    return float(runtime.get("gpus_per_actor", 0.0)) > 0, float(manifest.provenance.get("device_hours", 0.0))


def _embedded_hours(manifest: Manifest) -> tuple[bool, float]:
    """Return whether an encoder ran on GPUs, and its device-hours; a process on a CPU counts as a core."""
    devices = manifest.provenance.get("devices", ())
    on_gpu = any(name.startswith("cuda") for name in devices)
    return on_gpu, float(manifest.provenance.get("seconds", 0.0)) * len(devices) / _HOUR


def _trained_hours(manifest: Manifest) -> tuple[bool, float]:
    """Return whether an anneal ran on GPUs, and the hours that it held them, or the cores of its workers."""
    runtime = manifest.provenance.get("runtime", {})
    on_gpu = bool(runtime.get("use_gpu"))
    devices = int(runtime.get("workers", 1)) * (1 if on_gpu else int(runtime.get("threads", 1)))
    return on_gpu, manifest.seconds * devices / _HOUR

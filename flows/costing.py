"""What is left of a study to pay for: tokens, device-hours and money, a line a stage, each with where it is from.

A device is a GPU, or a core where there is none. Money is at the prices that the runtime declares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import get_args

from flows.asking import Ask, Reading, asks, readings
from flows.chances import items_of
from flows.machine import device_for
from flows.outline import Outline, Step
from flows.rates import ANSWERING, Basis, Rate, Rates
from flows.work import Work
from tasks.core.identity import Frozen
from tasks.core.memory import ModelShape
from tasks.embed.encoder_files import find_encoder
from tasks.generate.budget import device_hours, spent
from tasks.generate.engine import Meters

_HOUR = 3600.0
#: Tokens of a question, where no answers of its teacher tell.
_QUESTION = 256
_AT_MOST = "at most: every answer at max_output_tokens"


class Cost(Frozen):
    """What one stage of a study still costs.

    Attributes:
        what: what is done, in words.
        tokens: trained, or read and written; None where they cannot be counted yet.
        device_hours: of GPUs, or cores; None where they are not known.
        money: at the declared prices; None where none is declared, or hours are not known.
        source: where the figures are from, in words.
    """

    stage: str
    what: str
    tokens: int | None
    device_hours: float | None
    money: float | None
    basis: Basis
    source: str


class Bill(Frozen):
    """What a whole study still costs.

    Attributes:
        device_hours, money: of all stages; None where one of them is not known.
        seed_hours: device-hours of one seed, of every arm, trained and scored.
        item_hours: device-hours of scoring every model of the study.
        item_share: the share of the study's device-hours that scoring is. These three are of the whole study, done
            already or not, and None where they are not known.
    """

    costs: tuple[Cost, ...]
    device_hours: float | None
    money: float | None
    seed_hours: float | None
    item_hours: float | None
    item_share: float | None


def bill(work: Work, outline: Outline, shapes: Mapping[Path, ModelShape]) -> Bill:
    """Return what is left of a study to pay for.

    Args:
        shapes: the shape of each model by its folder: the base, and teachers and encoders whose config is on this
            machine.
    """
    rates = Rates(work, shapes[work.base.folder])
    scoring = {benchmark.name: rates.scoring(benchmark) for benchmark in work.study.benchmarks}
    costs = (
        *(_teacher(work, ask, rates, shapes) for ask in asks(work)),
        *_encoding(work, readings(work), rates, shapes),
        *_training(work, outline, rates.training),
        *_scoring(work, outline, scoring),
    )
    anneals = _hours(len(work.runs) * work.study.sequences * work.study.anneal.sequence_length, rates.training)
    items = _total(_hours(len(work.runs) * items_of(one).count, scoring[one.name]) for one in work.study.benchmarks)
    whole = _total([anneals, items])
    return Bill(
        costs=costs,
        device_hours=_total(cost.device_hours for cost in costs),
        money=_total(cost.money for cost in costs) if costs else 0.0,
        seed_hours=None if whole is None else whole / len(work.study.seeds),
        item_hours=items,
        item_share=items / whole if whole and items else None,
    )


def price_of_an_hour(work: Work) -> float:
    """Return the price of a device for an hour, 0 where none is declared."""
    declared = work.runtime.plan.hour_price
    return work.runtime.generate.device_price if declared is None else declared


def _training(work: Work, outline: Outline, rate: Rate) -> Iterator[Cost]:
    if outline.anneals:
        what = f"{outline.anneals} of {outline.total_anneals} anneals"
        yield _cost(work, "anneal", what, outline.tokens, _hours(outline.tokens, rate), rate)


def _scoring(work: Work, outline: Outline, rates: Mapping[str, Rate]) -> Iterator[Cost]:
    """Yield the costs of the scores that are left: what is measured apart from what is not."""
    left = Counter(step.name.rpartition(" on ")[2] for step in _left(outline) if step.stage == "evaluate")
    for basis in get_args(Basis):
        chosen = [one for one in work.study.benchmarks if left[one.name] and rates[one.name].basis == basis]
        if chosen:
            items = {one.name: left[one.name] * items_of(one).count for one in chosen}
            hours = _total(_hours(count, rates[name]) for name, count in items.items())
            what = f"{sum(left[one.name] for one in chosen)} evaluations, {sum(items.values()):,} items"
            yield _cost(work, "evaluate", what, None, hours, rates[chosen[0].name])


def _teacher(work: Work, ask: Ask, rates: Rates, shapes: Mapping[Path, ModelShape]) -> Cost:
    """Return what asking a model costs."""
    teacher = ask.model.model
    runtime, local = work.runtime.generate.of(teacher), teacher.engine != "openai"
    if ask.requests is None:
        meters, rate = Meters(), Rate(None, "unknown", "its questions are counted once they are read")
        what, tokens = PurePath(teacher.name).name, None
    else:
        meters, rate = _answers(work, ask, ask.requests, rates, shapes)
        what, tokens = (
            f"{PurePath(teacher.name).name}, {ask.requests:,} requests",
            meters.prompt_tokens + meters.output_tokens,
        )
    known = rate.seconds is not None
    priced = runtime.device_price if local else runtime.prompt_price or runtime.output_price
    return Cost(
        stage="generate",
        what=what,
        tokens=tokens,
        device_hours=device_hours(meters, teacher, runtime) if known else None,
        money=spent(meters, teacher, runtime).cost if priced and known else None,
        basis=rate.basis,
        source=rate.source,
    )


def _answers(
    work: Work, ask: Ask, requests: int, rates: Rates, shapes: Mapping[Path, ModelShape]
) -> tuple[Meters, Rate]:
    """Return what answering takes, and how that is known: every answer at its longest, where none tells."""
    teacher = ask.model.model
    runtime = work.runtime.generate.of(teacher)
    if (known := rates.answering(teacher)) is not None:
        tokens = (round(requests * known.prompt_tokens), round(requests * known.output_tokens))
        meters = Meters(prompt_tokens=tokens[0], output_tokens=tokens[1], seconds=requests * known.seconds)
        return meters, Rate(known.seconds, "measured", "this model's answers in the store")
    longest = ask.model.sampling.max_output_tokens if ask.model.sampling else 0
    meters = Meters(prompt_tokens=requests * _QUESTION, output_tokens=requests * longest)
    if teacher.engine == "openai":
        return meters, Rate(0.0, "estimated", _AT_MOST)
    shape = shapes.get(Path(teacher.path)) if teacher.path else None
    rate = rates.estimated(shape, device_for(work.runtime.plan, gpu=runtime.gpus_per_actor > 0), flops=ANSWERING)
    seconds = (meters.prompt_tokens + meters.output_tokens) * (rate.seconds or 0.0) / runtime.devices_per_actor
    return replace(meters, seconds=seconds), Rate(rate.seconds, rate.basis, f"{_AT_MOST}; {rate.source}")


def _encoding(work: Work, tables: Sequence[Reading], rates: Rates, shapes: Mapping[Path, ModelShape]) -> Iterator[Cost]:
    """Yield what the vectors that are left cost, an encoder a line."""
    for encoder in dict.fromkeys(table.encoder for table in tables):
        counts = [table.rows for table in tables if table.encoder == encoder]
        known = [count for count in counts if count is not None]
        rate = rates.encoding(encoder, shapes.get(find_encoder(encoder).folder))
        what = f"{PurePath(encoder.path or encoder.hub).name}, {sum(known):,} rows"
        if len(known) < len(counts):
            what, rate = f"{what} or more", Rate(None, "unknown", "its rows are counted once they are read")
        yield _cost(work, "embed", what, None, _hours(sum(known), rate), rate)


def _left(outline: Outline) -> Iterable[Step]:
    return (step for step in outline.steps if step.state != "cached")


def _cost(work: Work, stage: str, what: str, tokens: int | None, hours: float | None, rate: Rate) -> Cost:
    price = price_of_an_hour(work)
    return Cost(
        stage=stage,
        what=what,
        tokens=tokens,
        device_hours=hours,
        money=hours * price if price and hours is not None else None,
        basis=rate.basis,
        source=rate.source,
    )


def _hours(units: int, rate: Rate) -> float | None:
    return None if rate.seconds is None else units * rate.seconds / _HOUR


def _total(values: Iterable[float | None]) -> float | None:
    listed = list(values)
    known = [value for value in listed if value is not None]
    return sum(known) if len(known) == len(listed) else None

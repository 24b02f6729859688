"""The plan of a mixture: which packed sequence an arm trains on at which position.

The control is 100 % validated sources, by their weights. A candidate *replaces* its share of the control's positions
(arXiv:2510.07169, its annealing evaluation; replaced and not added, since extra tokens would confound compute): at
seeded places, the same for every candidate, spread over the validated sources in proportion. So for one seed the
control and every candidate have equal tokens and see the rest of the validated stream in the same order.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count, islice
from math import floor, log10
from typing import NamedTuple

from tasks.core.errors import StudyError
from tasks.mix.config import CandidateShare, PackSize, PlanConfig, SourceShare


class Place(NamedTuple):
    """One position of an arm: row `sequence` of the pack of `source`."""

    source: str
    sequence: int


def draw(config: PlanConfig, packs: Mapping[str, PackSize]) -> list[Place]:
    """Return an arm's sequences in training order; `packs` has what each source's pack holds, by name."""
    order = _control(config, packs)
    if config.candidate is None:
        return order
    name = config.candidate.name
    stream = _epochs(name, packs[name].sequences, config.seed)
    for position in _taken(order, candidate_sequences(config, config.candidate, packs), config.seed):
        order[position] = next(stream)
    return order


def candidate_sequences(config: PlanConfig, candidate: CandidateShare, packs: Mapping[str, PackSize]) -> int:
    """Return how many positions a candidate takes for its share, in the declared unit.

    With unit *samples*, k of T positions make the share w where k·c / (k·c + (T - k)·v) = w, for c and v samples a
    sequence in the candidate's pack and, by weight, in the validated ones.
    """
    total, share = config.sequences, candidate.share
    if candidate.unit == "tokens":
        return round(share * total)
    own, validated = _samples_a_sequence(config, candidate, packs)
    return round(total * share * validated / (own * (1 - share) + share * validated))


def smallest_share(config: PlanConfig, candidate: CandidateShare, packs: Mapping[str, PackSize]) -> float:
    """Return the smallest share that gives a candidate one position, to two digits, rounded up.

    `candidate_sequences` solved for the share at half a position, where it begins to round to one.
    """
    own, validated = (1.0, 1.0) if candidate.unit == "tokens" else _samples_a_sequence(config, candidate, packs)
    exact = 0.5 * own / (validated * (config.sequences - 0.5) + 0.5 * own)
    digit = 10.0 ** (floor(log10(exact)) - 1)
    return min(1.0, (floor(exact / digit) + 1) * digit)


def _samples_a_sequence(
    config: PlanConfig, candidate: CandidateShare, packs: Mapping[str, PackSize]
) -> tuple[float, float]:
    """Return the samples a sequence of the candidate's pack and, by weight, of the validated ones."""
    weight = sum(config.weights.values())
    validated = sum(w / weight * packs[name].samples / packs[name].sequences for name, w in config.weights.items())
    return packs[candidate.name].samples / packs[candidate.name].sequences, validated


def shares(order: list[Place], packs: Mapping[str, PackSize]) -> list[SourceShare]:
    """Return what an arm takes from each source, its sequences taken to be like the mean of the source's."""
    drawn = Counter(place.source for place in order)
    sizes = {name: (taken, taken / packs[name].sequences, packs[name]) for name, taken in sorted(drawn.items())}
    samples = sum(epochs * size.samples for _, epochs, size in sizes.values())
    tokens = sum(epochs * size.tokens for _, epochs, size in sizes.values())
    supervised = sum(epochs * size.supervised_tokens for _, epochs, size in sizes.values())
    return [
        SourceShare(
            source=name,
            sequences=taken,
            samples=round(epochs * size.samples),
            tokens=round(epochs * size.tokens),
            supervised_tokens=round(epochs * size.supervised_tokens),
            sample_share=epochs * size.samples / samples,
            token_share=epochs * size.tokens / tokens,
            supervised_token_share=epochs * size.supervised_tokens / supervised,
            epochs=epochs,
        )
        for name, (taken, epochs, size) in sizes.items()
    ]


def sized_by(config: PlanConfig, candidate: CandidateShare) -> set[str]:
    """Return the sources whose packs say how many sequences a candidate takes, and how often it has them."""
    return {candidate.name} | (set(config.weights) if candidate.unit == "samples" else set())


def check_epochs(
    config: PlanConfig, candidate: CandidateShare, packs: Mapping[str, PackSize], max_epochs: float
) -> None:
    """Refuse a candidate whose share is less than one position, or repeats it more often than it may be.

    Args:
        packs: what the packs of `sized_by` hold, by name.

    Raises:
        StudyError: naming the candidate, and what would fit.
    """
    needed, held = candidate_sequences(config, candidate, packs), packs[candidate.name].sequences
    if needed == 0:
        raise StudyError(
            f"candidate_weight: {candidate.share:g} of {config.sequences} sequences is none of {candidate.name}'s, so "
            "its arm would be the control",
            remedy=f"raise it to {smallest_share(config, candidate, packs):g} or more, which is one sequence",
        )
    if needed > max_epochs * held:
        raise StudyError(
            f"candidates.{candidate.name}: its {100 * candidate.share:.0f} % of the budget repeats it "
            f"{needed / held:.1f} times, and max_epochs is {max_epochs:g}",
            remedy=f"give more data, lower `tokens` to {100 * max_epochs * held / needed:.0f} % of what it is, "
            "or lower `candidate_weight`",
        )


def _control(config: PlanConfig, packs: Mapping[str, PackSize]) -> list[Place]:
    counts = apportion(config.weights, config.sequences)
    labels = [name for name, drawn in counts.items() for _ in range(drawn)]
    _random(config.seed, "order").shuffle(labels)
    streams = {name: _epochs(name, packs[name].sequences, config.seed) for name in counts}
    return [next(streams[label]) for label in labels]


def apportion(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """Return whole numbers that sum to `total` in proportion to `weights`, by largest remainders."""
    scale = total / sum(weights.values())
    exact = {name: weight * scale for name, weight in sorted(weights.items())}
    counts = {name: floor(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in islice(by_remainder, total - sum(counts.values())):
        counts[name] += 1
    return counts


def _taken(order: list[Place], sequences: int, seed: int) -> list[int]:
    """Return the positions that a candidate takes, ascending, the same for every candidate of one seed."""
    by_source: dict[str, list[int]] = {}
    for position, place in enumerate(order):
        by_source.setdefault(place.source, []).append(position)
    quota = apportion({name: len(positions) for name, positions in by_source.items()}, sequences)
    chosen: list[int] = []
    for name, positions in sorted(by_source.items()):
        _random(seed, "places", name).shuffle(positions)
        chosen += positions[: quota[name]]
    return sorted(chosen)


def _epochs(source: str, sequences: int, seed: int) -> Iterator[Place]:
    """Yield a source's sequences without end: every one before any repeats, each epoch in an order of its own."""
    for epoch in count():
        order = list(range(sequences))
        _random(seed, source, epoch).shuffle(order)
        yield from (Place(source, sequence) for sequence in order)


def _random(*parts: object) -> random.Random:
    return random.Random(":".join(map(str, parts)))  # a string seeds by its SHA-512, alike in every process

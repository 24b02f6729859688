"""The verdict rule, and the sentence that says it in plain words.

=============  =======================================================================================================
helps          a primary is shown up, none is shown down, every guard and pooled domain is shown within its margin, no
               drop alarm
trades         a primary is shown up, and another primary or a domain is shown down
hurts          none is shown up, and a primary or a domain is shown down
no effect      neither, and every primary's 90 % interval lies inside the declared band
inconclusive   everything else; also one seed, and two seeds with nothing to borrow their variance from
=============  =======================================================================================================

A study of four candidates in which nothing changed has any false "helps" in 0.8 to 2.4 % of cases (simulated, source:
the design's statistics). *Contaminated* is for a later stage to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.findings import Evidence, find
from tasks.compare.pairing import Paired
from tasks.core.results import CandidateResult, Comparison, Delta, DomainDelta, Verdict

_ONE_SEED = "the effect of the training data is not tested, since it takes more than one seed to tell it from chance"


def judge(pairs: Sequence[Paired], benchmarks: Sequence[BenchmarkFacts], config: CompareConfig) -> Comparison:
    """Return the verdicts of a study, a candidate each, in the order of the arms.

    Args:
        pairs: what `pairing.pair` made: every benchmark over the same arms and seeds.

    Raises:
        StudyError: if a benchmark has no facts, or none of those scored is primary.
    """
    first, borrowing = pairs[0], len(pairs[0].arms) > 2 or len(pairs) > 1
    results = [_result(evidence, len(first.seeds), borrowing, config) for evidence in find(pairs, benchmarks, config)]
    return Comparison(
        control=first.arms[0],
        seeds=first.seeds,
        candidates=tuple(results),
        warnings=tuple(_study_warnings(pairs, len(first.arms) > 2, borrowing)),
        band=config.band,
        confidence=config.confidence,
    )


def _result(evidence: Evidence, n_seeds: int, borrowing: bool, config: CompareConfig) -> CandidateResult:
    verdict, sentence = _verdict(evidence, n_seeds, borrowing, config)
    return CandidateResult(
        name=evidence.name,
        verdict=verdict,
        sentence=sentence,
        deltas=evidence.deltas,
        domains=evidence.domains,
        warnings=tuple(_warnings(evidence, config)),
    )


def _verdict(evidence: Evidence, n_seeds: int, borrowing: bool, config: CompareConfig) -> tuple[Verdict, str]:
    primaries = [delta for delta in evidence.deltas if delta.role == "primary"]
    if n_seeds == 1:
        return "inconclusive", _one_seed_sentence(primaries)
    if n_seeds == 2 and not borrowing:
        return "inconclusive", (
            f"Two seeds alone cannot tell {_largest(primaries)} from training noise: add a seed, an arm or a benchmark."
        )
    up = [delta for delta in primaries if delta.finding == "up"]
    down: list[Delta | DomainDelta] = [delta for delta in primaries if delta.finding == "down"]
    down += [domain for domain in evidence.domains if domain.shown_down]
    doubts = list(_doubts(evidence))
    if up and down:
        return "trades", f"It makes the model better on {_named(up)}, and worse on {_named(down)}."
    if up and not doubts:
        return "helps", f"It makes the model better on {_named(up)}, and {_unharmed(evidence)}."
    if up:
        return "inconclusive", f"It is better on {_named(up)}, but {_and(doubts)}, so that it helps cannot be claimed."
    if down:
        return "hurts", f"It makes the model worse on {_named(down)}, and nothing that decides got better."
    if evidence.within_band:
        return "no effect", (
            f"Every difference that decides is within {config.band:g} points either way, the largest being "
            f"{_largest(primaries)}."
        )
    return "inconclusive", _unclear_sentence(primaries, doubts)


def _doubts(evidence: Evidence) -> Iterable[str]:
    for delta in evidence.deltas:
        if delta.finding == "alarm":
            yield f"{_difference(delta)} raises a drop alarm"
        elif delta.finding == "not within margin":
            yield f"{_difference(delta)} may have fallen by more than {delta.margin:g} points"
    for domain in evidence.domains:
        if not domain.within_margin:
            yield f"{_difference(domain)} may have fallen by more than {domain.margin:g} points"


def _one_seed_sentence(primaries: Sequence[Delta]) -> str:
    differing = [delta for delta in primaries if delta.low > 0 or delta.high < 0]
    if differing:
        return f"These two checkpoints differ on {_named(differing)}; {_ONE_SEED}."
    return f"These two checkpoints are not shown to differ; {_ONE_SEED}."


def _unclear_sentence(primaries: Sequence[Delta], doubts: Sequence[str]) -> str:
    blind = max(delta.smallest_effect for delta in primaries)
    alarms = f"; {_and(doubts)}" if doubts else ""
    return (
        f"No difference that decides is beyond chance, the largest being {_largest(primaries)}; an effect below about "
        f"{blind:.1f} points could not have been seen{alarms}."
    )


def _unharmed(evidence: Evidence) -> str:
    if any(delta.role != "primary" for delta in evidence.deltas):
        return "nothing else that was measured is shown to suffer"
    return "nothing beside the benchmarks that decide was measured"


def _largest(deltas: Sequence[Delta]) -> str:
    return _difference(max(deltas, key=lambda delta: abs(delta.delta)))


def _named(found: Iterable[Delta | DomainDelta]) -> str:
    return _and([_difference(one) for one in found])


def _difference(one: Delta | DomainDelta) -> str:
    name = one.benchmark if isinstance(one, Delta) else f"{one.domain} as a whole"
    return f"{name} ({_signed(one.delta)} points, {_signed(one.low)} to {_signed(one.high)})"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _signed(points: float) -> str:
    text = f"{points:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def _warnings(evidence: Evidence, config: CompareConfig) -> Iterable[str]:
    for delta in evidence.deltas:
        if abs(delta.truncated_candidate - delta.truncated_control) > config.truncation_gap:
            yield (
                f"{delta.benchmark}: {delta.truncated_candidate:.1f} % of the candidate's answers were cut at the "
                f"output limit and {delta.truncated_control:.1f} % of the control's: the difference may be of length"
            )
    for name in evidence.noisy:
        yield f"{name}: this arm varies over seeds much more than the study's arms do together"


def _study_warnings(pairs: Sequence[Paired], arms: bool, borrowing: bool) -> Iterable[str]:
    if len(pairs[0].seeds) == 1:
        yield "one seed: intervals count items only, and no verdict is given"
    elif len(pairs[0].seeds) == 2 and borrowing:
        yield f"two seeds: seed variance borrowed from the study's other {'arms' if arms else 'benchmarks'}"
    elif borrowing and not arms:
        yield "one candidate: seed variance partly borrowed, as if training noise were independent between benchmarks"
    for pair in pairs:
        if pair.cluster.max() == 0:
            yield f"{pair.benchmark}: all items are of one cluster, so they are treated as independent"

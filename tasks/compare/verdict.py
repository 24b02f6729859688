"""From paired answers to the verdicts of a study, with everything that they rest on; the rule itself is in `ruling`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice

from tasks.compare.conditioned import Overlaps, condition, unchecked_warnings
from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.findings import Evidence, find
from tasks.compare.graders import Regraded, disagreements, graded_deltas, regraded_pairs
from tasks.compare.more import what_it_takes
from tasks.compare.pairing import Paired
from tasks.compare.ruling import Case, Setting, by_deltas, places, rule
from tasks.compare.sentences import by_match, listed
from tasks.core.errors import IntegrityError
from tasks.core.results import CandidateResult, Comparison, Disagreement

#: Answers on which the graders disagree that a comparison shows, one an item; the table beside it has all.
_SHOWN = 10


def judge(
    pairs: Sequence[Paired],
    benchmarks: Sequence[BenchmarkFacts],
    config: CompareConfig,
    *,
    regraded: Sequence[Regraded] = (),
    overlaps: Mapping[str, Overlaps] | None = None,
) -> Comparison:
    """Return the verdicts of a study, a candidate each, in the order of the arms.

    Args:
        pairs: what `pairing.pair` made: every benchmark over the same arms and seeds.
        regraded: what `graders.regrade` made of them, where answers were graded again.
        overlaps: of every benchmark item with each candidate's rows, by candidate; None where nobody looked.

    Raises:
        StudyError: if a benchmark has no facts, or none of those scored is primary.
        IntegrityError: if overlaps are of a candidate that was not scored, or leave a scored item out.
    """
    first, overlaps = pairs[0], overlaps or {}
    if stray := sorted(set(overlaps) - set(first.arms[1:])):
        raise IntegrityError(f"there are overlaps of {stray[0]}, and no scores", remedy=f"run {stray[0]}'s evaluation")
    setting = Setting(len(first.seeds), len(first.arms) - 1, len(first.arms) > 2, config)
    found = find(pairs, benchmarks, config)
    again = find(regraded_pairs(pairs, regraded), benchmarks, config) if regraded else found
    most = {fact.name: fact.most_items for fact in benchmarks if fact.most_items is not None}
    results = []
    for k, (own, other) in enumerate(zip(found, again, strict=True)):
        matched = overlaps.get(own.name)
        conditioned = condition(pairs, k, matched, own.deltas, benchmarks, config) if matched is not None else ()
        case = Case(own, other, graded_deltas(regraded, other.deltas, k), conditioned)
        shown = tuple(islice(_one_an_item(disagreements(regraded, (first.arms[0], own.name))), _SHOWN))
        results.append(_result(case, shown, setting, most))
    return Comparison(
        control=first.arms[0],
        seeds=first.seeds,
        candidates=tuple(results),
        warnings=tuple(_study_warnings(pairs, setting)),
        band=config.band,
        confidence=config.confidence,
    )


def _one_an_item(found: Iterator[Disagreement]) -> Iterator[Disagreement]:
    """Yield the first answer of each item: with many seeds, one item could else fill all that is shown."""
    return (next(answers) for _, answers in groupby(found, key=lambda one: (one.benchmark, one.item)))


def _result(case: Case, shown: tuple[Disagreement, ...], setting: Setting, most: Mapping[str, int]) -> CandidateResult:
    ruling = rule(case, setting)
    return CandidateResult(
        name=case.evidence.name,
        verdict=ruling.verdict,
        sentence=ruling.sentence,
        deltas=case.evidence.deltas,
        domains=case.evidence.domains,
        warnings=(
            *_warnings(case.evidence, setting.config),
            *_grader_warnings(case, setting),
            *_overlap_warnings(case, setting),
            *unchecked_warnings(case.conditioned),
        ),
        regraded=case.graded,
        disagreements=shown,
        conditioned=case.conditioned,
        lacking=ruling.lacking,
        more=what_it_takes(ruling.lacking, case.evidence, setting.candidates, setting.config, most),
    )


def _warnings(evidence: Evidence, config: CompareConfig) -> Iterator[str]:
    for delta in evidence.deltas:
        if abs(delta.truncated_candidate - delta.truncated_control) > config.truncation_gap:
            yield (
                f"{delta.benchmark}: {delta.truncated_candidate:.1f} % of the candidate's answers were cut at the "
                f"output limit and {delta.truncated_control:.1f} % of the control's: the difference may be of length"
            )
    for name in evidence.noisy:
        yield f"{name}: this arm varies over seeds much more than the study's arms do together"


def _grader_warnings(case: Case, setting: Setting) -> Iterator[str]:
    """Yield where another grader finds something else, though the verdict may stand."""
    own, other = by_deltas(case.evidence, setting), by_deltas(case.regraded, setting)
    if own.verdict == "inconclusive" != other.verdict:
        yield f"by {case.graded[0].grader} alone the verdict would be: {other.verdict}"
    findings = {delta.benchmark: delta.finding for delta in case.evidence.deltas}
    for one in case.graded:
        if one.finding != findings[one.benchmark]:
            words = [finding or "nothing" for finding in (findings[one.benchmark], one.finding)]
            yield f"{one.benchmark}: shown {words[0]} by its own grading, and {words[1]} by {one.grader}"


def _overlap_warnings(case: Case, setting: Setting) -> Iterator[str]:
    """Yield which gains sit on matched items, by the declared threshold or by another, and which are larger there."""
    config = setting.config
    sits = {ratio: places(case, ratio, config) for ratio in config.overlap_ratios}
    declared = sits[config.overlap_ratio]
    for one in case.conditioned:
        if one.threshold != config.overlap_ratio or one.benchmark not in declared:
            continue
        if declared[one.benchmark] == "matched":
            yield f"{one.benchmark}: its gain sits on items that the candidate's rows match, and is not claimed"
        elif one.shown_up and one.p_matched is not None and one.p_matched <= config.alpha:
            yield f"the gain is larger on items that the candidate's rows match: {by_match(one)}"
    for threshold, found in sits.items():
        if leaked := [name for name, place in found.items() if place == "matched" != declared[name]]:
            share = f"{100 * threshold:.0f} %"
            yield f"counting items as matched from {share} on, the gain on {listed(leaked)} sits on matched items"


def _study_warnings(pairs: Sequence[Paired], setting: Setting) -> Iterator[str]:
    arms = setting.candidates > 1
    if setting.n_seeds == 1:
        yield "one seed: intervals count items only, and no verdict is given"
    elif setting.n_seeds == 2 and setting.borrowing:
        yield "two seeds: seed variance borrowed from the study's other arms"
    elif not arms:
        yield "one candidate: its seed variance is its own, so intervals are wider than beside other candidates"
    if looks := setting.config.looks:
        yield (
            f"looked at with {setting.n_seeds} of up to {looks[-1]} seeds: the error level is spent over the looks; "
            "the intervals shown are not widened for them"
        )
    for pair in pairs:
        if pair.cluster.max() == 0:
            yield f"{pair.benchmark}: all items are of one cluster, so they are treated as independent"

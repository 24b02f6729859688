"""The verdict rule, and the sentence that says it in plain words.

=============  =======================================================================================================
helps          a primary is shown up, none is shown down, every guard and pooled domain is shown within its margin, no
               drop alarm
trades         a primary is shown up, and another primary or a domain is shown down
hurts          none is shown up, and a primary or a domain is shown down
no effect      neither, every primary's 90 % interval lies inside the declared band, and no guard is in doubt
contaminated   a primary is shown up; at the declared overlap none is shown up on the items that the candidate's rows
               do not match, and a gain is larger on the matched items beyond chance
inconclusive   everything else; also one seed, two seeds with nothing to borrow their variance from, a verdict that
               another grader would not give, and gains not shown on clean items where too few are left to tell
=============  =======================================================================================================

Only gains that are shown up on clean items are claimed. Where some are, the verdict rests on them alone, and the
sentence names the others as not claimed; where none is, the gains are what the last two lines make of them.

Asked in this order: are there seeds enough; what do the deltas say; would another grader say so too; do the gains sit
on matched items. The last two only ever take a verdict away. A study of four candidates in which nothing changed has
any false "helps" in at most 2.2 % of cases (``tests/benchmarks/false_calls.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tasks.compare.conditioned import Sits, where_gains_sit
from tasks.compare.config import CompareConfig
from tasks.compare.findings import Evidence
from tasks.compare.sentences import by_match, difference, largest, listed, named
from tasks.core.results import ConditionedDelta, Delta, DomainDelta, GradedDelta, Lacking, Verdict

#: What is said of a gain that is not claimed beside one that is.
_NOT_CLAIMED: Mapping[Sits, str] = {
    "matched": "sits on benchmark items that its rows match",
    "unclear": "is not shown on items that its rows do not match,",
}
_ONE_SEED = "the effect of the training data is not tested, since it takes more than one seed to tell it from chance"


class Setting(NamedTuple):
    """What a ruling depends on beside the evidence. `borrowing`: whether arms pool their seed variance."""

    n_seeds: int
    candidates: int
    borrowing: bool
    config: CompareConfig


class Case(NamedTuple):
    """All that is known of one candidate.

    Attributes:
        evidence: by the benchmarks' own grading; `regraded` by another grader where there is one, else the same.
        graded: the deltas that another grader gives.
        conditioned: the deltas on clean and on matched items; empty where overlap was not measured.
    """

    evidence: Evidence
    regraded: Evidence
    graded: tuple[GradedDelta, ...] = ()
    conditioned: tuple[ConditionedDelta, ...] = ()


class Ruling(NamedTuple):
    """A verdict, the sentence that says why, and what was lacking where it is inconclusive or contaminated."""

    verdict: Verdict
    sentence: str
    lacking: Lacking = "nothing"


def rule(case: Case, setting: Setting) -> Ruling:
    """Return the verdict on one candidate."""
    ruling = _by_graders(case, setting)
    sits = places(case, setting.config.overlap_ratio, setting.config)
    unclaimed = {name for name, place in sits.items() if place != "clean"}
    if not unclaimed or ruling.lacking in ("seeds", "company"):
        return ruling
    if len(unclaimed) == len(sits):
        return _without_clean(ruling, sits, case, setting.config)
    left = case._replace(evidence=_less(case.evidence, unclaimed), regraded=_less(case.regraded, unclaimed))
    ruling = _by_graders(left, setting)
    return ruling._replace(sentence=" ".join([ruling.sentence, *_not_claimed(sits, case, setting.config)]))


def places(case: Case, threshold: float, config: CompareConfig) -> dict[str, Sits]:
    """Return on which items each gain of a candidate sits, by benchmark; empty where overlap was not measured."""
    return where_gains_sit(gains_of(case.evidence), case.conditioned, threshold, config.alpha)


def by_deltas(evidence: Evidence, setting: Setting) -> Ruling:
    """Return the verdict that the deltas give, whoever graded them and whatever the candidate's rows hold."""
    primaries = [delta for delta in evidence.deltas if delta.role == "primary"]
    if setting.n_seeds == 1:
        return Ruling("inconclusive", _one_seed_sentence(primaries), "seeds")
    if setting.n_seeds == 2 and not setting.borrowing:
        sentence = f"Two seeds alone cannot tell {largest(primaries)} from training noise."
        return Ruling("inconclusive", sentence, "company")
    up, down = gains_of(evidence), _losses(evidence)
    doubts = list(_doubts(evidence))
    if up and down:
        return Ruling("trades", f"It makes the model better on {named(up)}, and worse on {named(down)}.")
    if up and not doubts:
        return Ruling("helps", f"It makes the model better on {named(up)}, and {_unharmed(evidence)}.")
    if up:
        sentence = f"It is better on {named(up)}, but {listed(doubts)}, so that it helps cannot be claimed."
        return Ruling("inconclusive", sentence, "narrower guards")
    if down:
        return Ruling("hurts", f"It makes the model worse on {named(down)}, and nothing that decides got better.")
    if evidence.within_band and doubts:
        sentence = (
            f"Every difference that decides is within {setting.config.band:g} points either way, but {listed(doubts)}."
        )
        return Ruling("inconclusive", sentence, "narrower guards")
    if evidence.within_band:
        sentence = (
            f"Every difference that decides is within {setting.config.band:g} points either way, the largest being "
            f"{largest(primaries)}."
        )
        return Ruling("no effect", sentence)
    return Ruling("inconclusive", _unclear_sentence(primaries, doubts), "power")


def gains_of(evidence: Evidence) -> list[Delta]:
    """Return the primaries that are shown up."""
    return [delta for delta in evidence.deltas if delta.role == "primary" and delta.finding == "up"]


def _losses(evidence: Evidence) -> list[Delta | DomainDelta]:
    down: list[Delta | DomainDelta] = [d for d in evidence.deltas if d.role == "primary" and d.finding == "down"]
    return down + [domain for domain in evidence.domains if domain.shown_down]


def _by_graders(case: Case, setting: Setting) -> Ruling:
    """Return the verdict that both graders give."""
    own, other = by_deltas(case.evidence, setting), by_deltas(case.regraded, setting)
    if own.verdict not in ("inconclusive", other.verdict):
        return _turning(own.verdict, other.verdict, case.graded)
    return own


def _less(evidence: Evidence, names: Collection[str]) -> Evidence:
    """Return evidence in which the gains on some benchmarks were not found."""
    deltas = (
        delta.model_copy(update={"finding": None}) if delta.benchmark in names and delta.finding == "up" else delta
        for delta in evidence.deltas
    )
    return replace(evidence, deltas=tuple(deltas))


def _turning(own: Verdict, other: Verdict, graded: Sequence[GradedDelta]) -> Ruling:
    apart = [one.benchmark for one in graded if one.n_disagreements]
    count = sum(one.n_disagreements for one in graded)
    # Other arms count too: they share the control, the seed variance and the Holm family.
    what = f"{count:,} answers of {listed(apart)}" if apart else "answers of other arms alone"
    sentence = (
        f"It turns on the grader: {own} by the benchmarks' own grading, and {other} by {graded[0].grader}. They "
        f"disagree on {what}."
    )
    return Ruling("inconclusive", sentence, "agreement")


def _without_clean(ruling: Ruling, sits: Mapping[str, Sits], case: Case, config: CompareConfig) -> Ruling:
    """Return the verdict on a candidate no gain of which is shown up on clean items."""
    leaked = [name for name, place in sits.items() if place == "matched"]
    if not leaked and ruling.verdict == "inconclusive":
        return ruling
    better = f"It is better on {named(gains_of(case.evidence))}, but"
    told = listed([by_match(one) for one in _here(sits, case, config)])
    worse = f" It is worse on {named(losses)}." if (losses := _losses(case.evidence)) else ""
    if len(leaked) == len(sits):
        where = "only on benchmark items that its rows match"
    elif leaked:
        where = (
            f"none of it is shown on items that its rows do not match, and the gain on {listed(leaked)} sits on those "
            "that they do"
        )
    else:
        where = "that is not shown on items that its rows do not match, and too few are left to tell"
    return Ruling("contaminated" if leaked else "inconclusive", f"{better} {where}: {told}.{worse}", "clean items")


def _not_claimed(sits: Mapping[str, Sits], case: Case, config: CompareConfig) -> Iterable[str]:
    whole = {gain.benchmark: gain for gain in gains_of(case.evidence)}
    for one in _here(sits, case, config):
        if (place := sits[one.benchmark]) != "clean":
            gain = difference(whole[one.benchmark])
            yield f"Its gain on {gain} {_NOT_CLAIMED[place]} and is not claimed: {by_match(one)}."


def _here(sits: Mapping[str, Sits], case: Case, config: CompareConfig) -> list[ConditionedDelta]:
    """Return how each gain moved on clean and on matched items, at the declared threshold."""
    return [one for one in case.conditioned if one.threshold == config.overlap_ratio and one.benchmark in sits]


def _doubts(evidence: Evidence) -> Iterable[str]:
    for delta in evidence.deltas:
        if delta.finding == "alarm":
            yield f"{difference(delta)} raises a drop alarm"
        elif delta.finding == "not within margin":
            yield f"{difference(delta)} may have fallen by more than {delta.margin:g} points"
    for domain in evidence.domains:
        if not domain.within_margin:
            yield f"{difference(domain)} may have fallen by more than {domain.margin:g} points"


def _one_seed_sentence(primaries: Sequence[Delta]) -> str:
    differing = [delta for delta in primaries if delta.low > 0 or delta.high < 0]
    if differing:
        return f"These two checkpoints differ on {named(differing)}; {_ONE_SEED}."
    return f"These two checkpoints are not shown to differ; {_ONE_SEED}."


def _unclear_sentence(primaries: Sequence[Delta], doubts: Sequence[str]) -> str:
    blind = max(delta.smallest_effect for delta in primaries)
    alarms = f"; {listed(doubts)}" if doubts else ""
    return (
        f"No difference that decides is beyond chance, the largest being {largest(primaries)}; an effect below about "
        f"{blind:.1f} points could not have been seen{alarms}."
    )


def _unharmed(evidence: Evidence) -> str:
    if any(delta.role != "primary" for delta in evidence.deltas):
        return "nothing else that was measured is shown to suffer"
    return "nothing beside the benchmarks that decide was measured"

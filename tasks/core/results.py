"""What a study found, as values that `compare` makes and `track`, `report` and the command line show.

All differences are in percentage points of the benchmark's metric, candidate minus control.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.core.identity import Frozen

Verdict = Literal["helps", "trades", "hurts", "no effect", "inconclusive", "contaminated"]
Domain = Literal["math", "knowledge", "reasoning", "coding"]
#: primary: decides; guard: must stay within its own margin; alarm: too small for a margin of its own, so it only raises
#: a drop alarm and counts in its pooled domain.
Role = Literal["primary", "guard", "alarm"]
#: What a difference was found to be: up or down (primaries, beyond chance after Holm), not shown to stay within the
#: margin that a guard has, or a drop alarm.
Finding = Literal["up", "down", "not within margin", "alarm"]
#: What an inconclusive study was short of: seeds at all, other deltas to borrow variance from, graders that agree,
#: items that training rows do not match, guards and domains shown within their margins, or power to see an effect.
Lacking = Literal["nothing", "seeds", "company", "agreement", "clean items", "narrower guards", "power"]


class Delta(Frozen):
    """One candidate against the control on one benchmark, paired by item and seed.

    Attributes:
        delta: the plain mean difference; `low` and `high` bound it at the study's confidence.
        standard_error: of the difference, in points; infinite precision is never claimed, so it is above zero.
        degrees_of_freedom: Satterthwaite's, to be read: intervals and p-values count seeds and items each by their own.
        p_up: one-sided p-value against "not above zero", before any adjustment; `p_down` against "not below".
        n_items: items that all arms answered; `n_clusters` is fewer where items are not independent.
        control: the control's score in percent, mean over seeds; `candidate` the candidate's.
        margin: how far a guard may fall in points, None where the benchmark has no margin of its own.
        smallest_effect: the smallest difference that this study would have found in 4 of 5 cases, by what it knows now.
        item_sd: the spread of an item's difference, mean over seeds, as found, in points: what more items average out.
        flip_sd: the spread of an item's difference from seed to seed, as found, in points: answers that flip by luck.
        training_noise: the spread of a seed's difference that training alone makes, as found, in points: what more
            seeds average out; zero where there is one seed.
        truncated_control: share of the control's answers that were cut at the output limit, in percent.
        bits_per_byte_control: of the gold answer, mean over seeds; None where the benchmark has no gold text.
        finding: what it was found to be, None where it could be chance.
    """

    benchmark: str
    domain: Domain
    metric: str
    role: Role
    delta: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    p_up: float
    p_down: float
    n_items: int
    n_seeds: int
    n_clusters: int
    control: float
    candidate: float
    margin: float | None
    smallest_effect: float
    truncated_control: float
    truncated_candidate: float
    bits_per_byte_control: float | None
    bits_per_byte_candidate: float | None
    finding: Finding | None = None
    item_sd: float = 0.0
    flip_sd: float = 0.0
    training_noise: float = 0.0


class DomainDelta(Frozen):
    """One candidate against the control over the items of all guard benchmarks of a domain, pooled.

    Attributes:
        margin: how far the domain may fall in points.
        within_margin: whether it is shown (one-sided 95 %) to fall by less than that.
        shown_down: whether it is shown to fall at all, after Holm over the study's domains.
    """

    domain: Domain
    delta: float
    low: float
    high: float
    margin: float
    within_margin: bool
    shown_down: bool = False
    n_items: int = 0
    benchmarks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What a row of it is called; of mathematics, what decides is not in it."""
        return "math that does not decide" if self.domain == "math" else f"all {self.domain}"


class GradedDelta(Frozen):
    """The delta of one benchmark again, its stored answers graded by another grader.

    Attributes:
        grader: its name.
        finding: as in `Delta`, all of the study's graded benchmarks taken by this grader.
        n_disagreements: answers of the control and the candidate, over all seeds, that one grader calls right and the
            other wrong.
        n_undecided: answers on which this grader could not tell, so that the benchmark's own word stands.
    """

    benchmark: str
    grader: str
    delta: float
    low: float
    high: float
    finding: Finding | None
    n_disagreements: int
    n_undecided: int


class Disagreement(Frozen):
    """One answer that the benchmark's own grading and another grader take differently.

    Attributes:
        prediction: the end of what the model wrote; `gold` that of the reference.
        scored: what the benchmark's own grading says, 0 (wrong) to 1 (right); `regraded` what the other one says.
        evidence: what the other grader compared, for a person to read.
    """

    arm: str
    seed: int
    benchmark: str
    item: str
    prediction: str
    gold: str
    grader: str
    scored: float
    regraded: float
    evidence: str


class ConditionedDelta(Frozen):
    """The delta of one benchmark on the items that the candidate's rows do not match, and on those that they do.

    An item is matched from an overlap of `threshold` on: the highest share of its n-grams, 0 to 1, that any one row of
    the candidate holds. The others are clean, those too short to be looked for (`n_unchecked`) among them.

    Attributes:
        delta: on clean items, with its interval; None where fewer than two are clean.
        shown_up: whether it is still shown up, tested as the study's primaries are; never so for a guard.
        matched_delta: on matched items; None where fewer than two are matched.
        p_matched: one-sided p-value against "matched items gained no more than clean ones"; None where there is no
            delta of either.
    """

    benchmark: str
    threshold: float
    delta: float | None
    low: float | None
    high: float | None
    n_items: int
    n_matched: int
    n_unchecked: int
    matched_delta: float | None
    p_matched: float | None
    shown_up: bool


class OverallDelta(Frozen):
    """One candidate against the control on the plain mean of the benchmarks that decide, each counted alike, in points.

    It decides nothing: it is what a cost is set against.
    """

    delta: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    benchmarks: tuple[str, ...]


class CandidateResult(Frozen):
    """The verdict on one candidate, with the sentence that says why and the numbers behind it.

    Attributes:
        regraded: the deltas of benchmarks that another grader has graded too.
        disagreements: up to ten answers, the control's and the candidate's, on which the graders disagree, one an item.
        conditioned: every delta on clean and on matched items, a threshold at a time; empty where overlap with the
            candidate's rows was not measured.
        lacking: what it was short of, where the verdict is inconclusive or contaminated; `more` says what it
            would take.
        overall: what is gained on the mean of the primaries; None where it is not known.
    """

    name: str
    verdict: Verdict
    sentence: str
    deltas: tuple[Delta, ...]
    domains: tuple[DomainDelta, ...]
    warnings: tuple[str, ...]
    regraded: tuple[GradedDelta, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    conditioned: tuple[ConditionedDelta, ...] = ()
    lacking: Lacking = "nothing"
    more: str = ""
    overall: OverallDelta | None = None


class FilterDelta(Frozen):
    """What a recipe's filter is worth on one benchmark: the candidate minus the same candidate made without it."""

    candidate: str
    filter: str
    benchmark: str
    delta: float
    low: float
    high: float
    n_items: int
    n_seeds: int


class Comparison(Frozen):
    """The verdicts of a whole study.

    Attributes:
        filters: what each filter of a candidate's recipe is worth, where the study has arms that lack one.
        band: the differences from minus to plus this many points that count as no effect.
        confidence: that of every interval in it.
    """

    control: str
    seeds: tuple[int, ...]
    candidates: tuple[CandidateResult, ...]
    warnings: tuple[str, ...]
    band: float = 2.0
    confidence: float = 0.95
    filters: tuple[FilterDelta, ...] = ()


class PlannedBenchmark(Frozen):
    """What is assumed of a benchmark before the run.

    Attributes:
        n_clusters: groups of items that hang together; None where each item stands alone.
        item_sd: the spread of an item's difference, mean over seeds, in points; `tasks.compare.power.item_spread` gives
            it for an accuracy.
        flip_sd: the spread of an item's difference from seed to seed, in points: answers that flip by luck.
        design_effect: how many times more the mean varies than if items stood alone. None: 1 without clusters, else the
            mean size of a cluster, at most 2: an assumption.
    """

    benchmark: str
    domain: Domain
    role: Role
    n_items: int = Field(ge=2)
    n_clusters: int | None = Field(default=None, ge=2)
    item_sd: float = Field(default=30.0, gt=0, le=100)
    flip_sd: float = Field(default=20.0, ge=0, le=100)
    design_effect: float | None = Field(default=None, ge=1)


class TrainingNoise(Frozen):
    """The spread of a seed's difference that training alone makes, and where that figure comes from.

    Attributes:
        points: standard deviation over seeds of candidate minus control, in points.
        source: in words, such as ``earlier studies``, ``the study`` or ``default``.
        degrees: how many degrees of freedom it was found from; None where it is an assumption.
    """

    points: float = Field(ge=0)
    source: str
    degrees: int | None = None


class BenchmarkPower(Frozen):
    """What one benchmark can show, at the assumed training noise.

    Attributes:
        standard_error: of a difference, as planned, in points.
        smallest_effect: the smallest true difference, in points, that is found in 4 of 5 studies: on a primary as a
            gain that passes Holm's first step, on others as a drop at the alarm's level. None where nothing under 100
            points is, as with one seed.
        margin: how far a guard may fall; None where it has no margin.
        passes: the chance that it does not stand in the way of "helps" where the candidate changes nothing on it: a
            guard is shown within its margin, an alarm stays silent, a primary is not shown down.
    """

    benchmark: str
    role: Role
    n_items: int
    standard_error: float
    smallest_effect: float | None
    margin: float | None
    passes: float


class EffectChance(Frozen):
    """The chance to see the declared effect at one level of training noise.

    Attributes:
        times: the noise as a multiple of what is assumed, and `noise` the same in points.
        by_benchmark: for each primary, the chance that it is shown up.
        any_primary: the chance that at least one primary is shown up, benchmarks taken as independent.
        unharmed: the chance that no guard, alarm or pooled domain stands in the way of "helps" where none has changed.
    """

    times: float
    noise: float
    by_benchmark: dict[str, float]
    any_primary: float
    unharmed: float


class Needed(Frozen):
    """What it would take to see an effect: each change by itself, all else as planned.

    Attributes:
        effect: by primary, in points.
        chance: that at least one primary is shown up, wanted and `now`.
        seeds: how many seeds are enough; None where no number up to the largest looked at is.
        items_times: how many times as many items on every primary are enough; None as above.
        cheapest: which of the two costs less; ``nothing`` where the plan is enough, None where neither is.
        cost_times: what the study then costs, as a multiple of the plan's cost; None where neither is enough.
    """

    effect: dict[str, float]
    chance: float
    now: float
    seeds: int | None
    items_times: float | None
    cheapest: Literal["nothing", "seeds", "items"] | None
    cost_times: float | None


class HelpsPlan(Frozen):
    """The chance that a study says "helps" where the declared effect is real and nothing else changes: guards count.

    Attributes:
        chance: that the effect is shown up on a primary and no guard, alarm or pooled domain stands in the way.
        unharmed: the part of it that guards leave; the other part is the chance to see the effect.
        in_the_way: for each guard and each pooled domain, the chance that it alone stands in the way, highest first.
        margins: for each domain that often does, the margin in points that it would keep in 95 % of studies.
        with_margins: `chance` with these margins declared.
        with_seeds: `chance` with the seeds that `Needed` names; None where it names none.
        with_items: `chance` with the items that it names, on the primaries alone; None as above.
        seeds: a number of seeds at which `chance` is the one wanted; None where none looked at is enough.
    """

    chance: float
    unharmed: float
    in_the_way: dict[str, float]
    margins: dict[Domain, float]
    with_margins: float
    with_seeds: float | None
    with_items: float | None
    seeds: int | None


class PowerPlan(Frozen):
    """What a study can show, said before it is run: see `tasks.compare.power`.

    Attributes:
        effect: the declared effect by primary, in points.
        chances: at half, once and twice the assumed training noise, in that order.
        needed: what it would take to see the declared effect in 4 of 5 studies, at the assumed noise.
    """

    seeds: int
    candidates: int
    noise: TrainingNoise
    effect: dict[str, float]
    benchmarks: tuple[BenchmarkPower, ...]
    chances: tuple[EffectChance, ...]
    needed: Needed

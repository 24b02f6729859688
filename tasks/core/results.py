"""What a study found, as values that `compare` makes and `track`, `report` and the command line show.

All differences are in percentage points of the benchmark's metric, candidate minus control.
"""

from __future__ import annotations

from typing import Literal

from tasks.core.identity import Frozen

Verdict = Literal["helps", "trades", "hurts", "no effect", "inconclusive", "contaminated"]
Domain = Literal["math", "knowledge", "reasoning", "coding"]
#: primary: decides; guard: must stay within its own margin; alarm: too small for a margin of its own, so it only raises
#: a drop alarm and counts in its pooled domain.
Role = Literal["primary", "guard", "alarm"]
#: What a difference was found to be: up or down (primaries, beyond chance after Holm), not shown to stay within the
#: margin that a guard has, or a drop alarm.
Finding = Literal["up", "down", "not within margin", "alarm"]


class Delta(Frozen):
    """One candidate against the control on one benchmark, paired by item and seed.

    Attributes:
        delta: the plain mean difference; `low` and `high` bound it at the study's confidence.
        standard_error: of the difference, in points; infinite precision is never claimed, so it is above zero.
        p_up: one-sided p-value against "not above zero", before any adjustment; `p_down` against "not below".
        n_items: items that all arms answered; `n_clusters` is fewer where items are not independent.
        control: the control's score in percent, mean over seeds; `candidate` the candidate's.
        margin: how far a guard may fall in points, None where the benchmark has no margin of its own.
        smallest_effect: the smallest difference that this study could have seen, about three standard errors.
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


class CandidateResult(Frozen):
    """The verdict on one candidate, with the sentence that says why and the numbers behind it."""

    name: str
    verdict: Verdict
    sentence: str
    deltas: tuple[Delta, ...]
    domains: tuple[DomainDelta, ...]
    warnings: tuple[str, ...]


class Comparison(Frozen):
    """The verdicts of a whole study.

    Attributes:
        band: the differences from minus to plus this many points that count as no effect.
        confidence: that of every interval in it.
    """

    control: str
    seeds: tuple[int, ...]
    candidates: tuple[CandidateResult, ...]
    warnings: tuple[str, ...]
    band: float = 2.0
    confidence: float = 0.95

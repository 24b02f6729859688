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


class Delta(Frozen):
    """One candidate against the control on one benchmark, paired by item and seed."""

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


class DomainDelta(Frozen):
    """One candidate against the control over all guard benchmarks of a domain, pooled."""

    domain: Domain
    delta: float
    low: float
    high: float
    margin: float
    within_margin: bool


class CandidateResult(Frozen):
    """The verdict on one candidate, with the sentence that says why and the numbers behind it."""

    name: str
    verdict: Verdict
    sentence: str
    deltas: tuple[Delta, ...]
    domains: tuple[DomainDelta, ...]
    warnings: tuple[str, ...]


class Comparison(Frozen):
    """The verdicts of a whole study."""

    control: str
    seeds: tuple[int, ...]
    candidates: tuple[CandidateResult, ...]
    warnings: tuple[str, ...]

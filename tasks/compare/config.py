"""What a comparison is told: which benchmarks decide, how far the others may fall, and how sure is sure.

All of it is identity: it is written in the study and fixed by its hash before anything is trained.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.core.identity import Frozen
from tasks.core.results import Domain
from tasks.core.store import ArtifactRef

#: Raised whenever the meaning of a comparison changes.
STAGE_VERSION = 1

PooledDomain = Literal["knowledge", "reasoning", "coding"]

#: From this many seeds on, a pooled domain's margin is 1 point by default, below it 1.5.
_MANY_SEEDS = 5


class CompareConfig(Frozen):
    """How deltas become a verdict (source: the design's statistics, which simulated these defaults).

    Attributes:
        primary: the benchmarks that decide. None: all of domain math.
        band: a difference within plus or minus this many points counts as no effect.
        domain_margins: how far a pooled domain may fall, in points. Left out: 1.5 below five seeds, 1 from five on.
        alpha: the chance, one-sided, that any primary of any candidate is called up where nothing changed (Holm).
        alarm_alpha: the one-sided level of drop alarms and of staying within a margin.
        confidence: that of the intervals shown.
        planned_item_sd: the assumed spread of one item's difference, mean over seeds, in points. With the next field
            it sets guards' margins *before* the run: a margin that grew with what was seen would excuse noise.
        planned_training_noise: the assumed spread of a seed's difference that training alone makes, in points.
        truncation_gap: a gap in truncated answers between two arms above which a warning is due, in points.
    """

    primary: tuple[str, ...] | None = Field(default=None, min_length=1)
    band: float = Field(default=2.0, gt=0, le=100)
    domain_margins: dict[PooledDomain, float] = Field(default_factory=dict)
    alpha: float = Field(default=0.025, gt=0, lt=0.5)
    alarm_alpha: float = Field(default=0.05, gt=0, lt=0.5)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    planned_item_sd: float = Field(default=30.0, gt=0, le=100)
    planned_training_noise: float = Field(default=1.0, ge=0, le=100)
    truncation_gap: float = Field(default=1.0, gt=0, le=100)

    def domain_margin(self, domain: PooledDomain, seeds: int) -> float:
        """Return how far `domain` may fall, in points, in a study of `seeds` seeds."""
        return self.domain_margins.get(domain, 1.0 if seeds >= _MANY_SEEDS else 1.5)


class BenchmarkFacts(Frozen):
    """What a comparison has to know of a benchmark."""

    name: str
    domain: Domain
    metric: str


class ScoredArm(Frozen):
    """The scores of one arm, trained with one seed, on one benchmark.

    Attributes:
        scores: an artifact of SCORES rows, all of `benchmark`.
        anneal: the artifact of the model that was scored; None where nothing was trained here.
    """

    arm: str
    seed: int
    benchmark: str
    scores: ArtifactRef
    anneal: ArtifactRef | None = None

"""What a comparison is told: which benchmarks decide, how far the others may fall, and how sure is sure.

All of it is identity: it is written in the study and fixed by its hash before anything is trained.
"""

from __future__ import annotations

import itertools

from pydantic import Field, model_validator

from tasks.core.identity import Frozen
from tasks.core.results import Domain
from tasks.core.store import ArtifactRef

#: Raised whenever the meaning of a comparison changes.
STAGE_VERSION = 4

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
        effect: the gain on a primary, in points, that is worth finding: plans say how likely a study is to see it.
        looks: numbers of seeds at which the study may be looked at and stopped, ascending, the last being all of them.
            The error levels are then spent over the looks (`tasks.compare.sequential`). None: it is looked at once.
        overlap_ratios: every delta is also given on the items that the candidate's rows do not match, an item counting
            as matched where one row holds this share of its n-grams, 0 to 1, or more; ascending.
        overlap_ratio: which of them says on which items a gain sits; at 0.5 recipes drop a row. Lower shares are also
            held by rows that are of the same kind as an item, and no copy of it.
        truncation_gap: a gap in truncated answers between two arms above which a warning is due, in points.
    """

    primary: tuple[str, ...] | None = Field(default=None, min_length=1)
    band: float = Field(default=2.0, gt=0, le=100)
    domain_margins: dict[Domain, float] = Field(default_factory=dict)
    alpha: float = Field(default=0.025, gt=0, lt=0.5)
    alarm_alpha: float = Field(default=0.05, gt=0, lt=0.5)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    planned_item_sd: float = Field(default=30.0, gt=0, le=100)
    planned_training_noise: float = Field(default=1.0, ge=0, le=100)
    effect: float = Field(default=2.0, gt=0, le=100)
    looks: tuple[int, ...] | None = Field(default=None, min_length=1)
    overlap_ratios: tuple[float, ...] = Field(default=(0.3, 0.5, 0.8), min_length=1)
    overlap_ratio: float = 0.5
    truncation_gap: float = Field(default=1.0, gt=0, le=100)

    @model_validator(mode="after")
    def _looks_ascend(self) -> CompareConfig:
        looks = self.looks or ()
        if any(seeds < 2 for seeds in looks) or any(b <= a for a, b in itertools.pairwise(looks)):
            raise ValueError(f"looks: {list(looks)} must be numbers of seeds from 2 on, ascending")
        return self

    @model_validator(mode="after")
    def _overlaps_ascend(self) -> CompareConfig:
        ratios = self.overlap_ratios
        if not all(0 < ratio <= 1 for ratio in ratios) or list(ratios) != sorted(set(ratios)):
            raise ValueError(f"overlap_ratios: {list(ratios)} must be shares above 0 and up to 1, ascending")
        if self.overlap_ratio not in ratios:
            raise ValueError(f"overlap_ratio: {self.overlap_ratio:g} is not among overlap_ratios, {list(ratios)}")
        return self

    def domain_margin(self, domain: Domain, seeds: int) -> float:
        """Return how far `domain` may fall, in points, in a study of `seeds` seeds."""
        return self.domain_margins.get(domain, 1.0 if seeds >= _MANY_SEEDS else 1.5)

    def planned_seeds(self, seeds: int) -> int:
        """Return how many seeds margins are planned with: those of the last look, else the `seeds` there are."""
        return self.looks[-1] if self.looks else seeds


class BenchmarkFacts(Frozen):
    """What a comparison has to know of a benchmark.

    Attributes:
        most_items: how many items there are to be had; None where nobody knows.
    """

    name: str
    domain: Domain
    metric: str
    most_items: int | None = None


class FilterArm(Frozen):
    """An arm that is a candidate made without one of its filters: it says what the filter is worth."""

    arm: str
    candidate: str
    filter: str


class ScoredArm(Frozen):
    """The scores of one arm, trained with one seed, on one benchmark.

    Attributes:
        scores: an artifact of SCORES rows, all of `benchmark`.
        anneal: the artifact of the model that was scored; None where nothing was trained here.
        grades: the same answers as another grader takes them (GRADES); None where none did.
        lacks: the filter that the arm was made without; None for the control and the candidates.
    """

    arm: str
    seed: int
    benchmark: str
    scores: ArtifactRef
    anneal: ArtifactRef | None = None
    grades: ArtifactRef | None = None
    lacks: FilterArm | None = None

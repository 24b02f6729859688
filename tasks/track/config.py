"""What tracking is told: where MLflow is, and what a study has to show there.

None of it is identity: a tracker changes no result.
"""

from __future__ import annotations

from pydantic import Field

from tasks.core.costs import CostPerPoint
from tasks.core.identity import Frozen
from tasks.core.ledgers import Ledger
from tasks.core.results import Comparison
from tasks.core.store import ArtifactRef

#: Raised whenever what is written to the journal changes its meaning.
STAGE_VERSION = 2

Param = str | int | float | bool


class TrackConfig(Frozen):
    """Runtime settings of the tracker.

    Attributes:
        uri: an MLflow tracking URI. Empty: a SQLite file under the store.
        experiment: the MLflow experiment that studies are runs of.
        timeout_seconds: how long to wait for a server or a locked database before giving up until the next run.
        max_points: the most points of one metric of one run; longer series are thinned evenly, first and last kept.
    """

    uri: str = ""
    experiment: str = Field(default="assay", min_length=1)
    timeout_seconds: int = Field(default=5, gt=0)
    max_points: int = Field(default=1_000, ge=2)


class TrackedDataset(Frozen):
    """A dataset that an arm was trained on, by digest."""

    name: str
    digest: str
    source: str
    num_rows: int


class TrackedArm(Frozen):
    """One arm trained with one seed: a child run.

    Attributes:
        params: what tells this run from others; strings and numbers, no secrets.
        steps: the anneal's artifact, and `steps_folder` the folder of its STEPS rows in it.
        accuracy: the score on each benchmark, in percent.
        totals: further numbers of the whole run, such as tokens and seconds.
    """

    arm: str
    seed: int
    params: dict[str, Param] = Field(default_factory=dict)
    steps: ArtifactRef | None = None
    steps_folder: str = "logs/steps"
    datasets: tuple[TrackedDataset, ...] = ()
    accuracy: dict[str, float] = Field(default_factory=dict)
    totals: dict[str, float] = Field(default_factory=dict)


class TrackedStudy(Frozen):
    """All that a study shows in the tracker; may be sent early, without a comparison, and again when it is there.

    Attributes:
        study: the study's name; `study_hash` is its identity, and the name of its journal.
        ledgers, points: what each candidate fixed and broke, and what a point of it cost.
        report: the report's artifact, whose files are attached to the study's run.
    """

    study: str
    study_hash: str = Field(pattern=r"^[0-9a-f]{8,64}$")
    params: dict[str, Param] = Field(default_factory=dict)
    arms: tuple[TrackedArm, ...] = ()
    comparison: Comparison | None = None
    ledgers: tuple[Ledger, ...] = ()
    points: tuple[CostPerPoint, ...] = ()
    report: ArtifactRef | None = None


class TrackOutcome(Frozen):
    """What became of a study's entries.

    Attributes:
        journal: the journal's path, relative to the store's root.
        entries: how many entries the journal holds; `sent` is how many reached MLflow just now.
        warning: why MLflow does not have all of them yet; empty where it does.
    """

    journal: str
    entries: int
    sent: int
    warning: str = ""

"""What a report shows, as one frozen value: the flow fills it, `report` only sets it in type.

Nothing here is looked up while the report is made, so the same value gives the same bytes. Take times from manifests,
never from the clock: then a finished study's report is found, not made again.
"""

from __future__ import annotations

from pydantic import Field

from tasks.core.cards import ValidatedCard
from tasks.core.costs import CostPerPoint
from tasks.core.identity import Frozen
from tasks.core.ledgers import Ledger
from tasks.core.results import Comparison, PowerPlan

#: Raised whenever the meaning or the form of a report changes.
STAGE_VERSION = 5


class SourceUse(Frozen):
    """How much of what an arm was trained on came from one source; all shares are 0 to 1, over seeds alike.

    Attributes:
        epochs: how often the source was seen whole.
        rows: documents kept of the source, before any repeats.
    """

    arm: str
    source: str
    sample_share: float = Field(ge=0, le=1)
    token_share: float = Field(ge=0, le=1)
    supervised_share: float = Field(ge=0, le=1)
    epochs: float = Field(ge=0)
    rows: int = Field(ge=0)
    tokens: int = Field(ge=0)


class Dropped(Frozen):
    """Rows of a source that were left out at some stage for one reason."""

    source: str
    stage: str
    reason: str
    rows: int


class FunnelStep(Frozen):
    """One step of the recipe that made a candidate: rows in what it published, and rows that it left out.

    Attributes:
        reasons: of the rows left out, in words with their numbers.
        tokens: prompt and output tokens of a model that was asked.
    """

    stage: str
    rows: int
    dropped: int
    reasons: str = ""
    tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0


class JudgedGroup(Frozen):
    """What was judged of a group of questions: all, those with one type of reference, or those of one source.

    Attributes:
        kept: questions with at least one right answer.
    """

    group: str
    questions: int
    kept: int
    answers: int
    right: int
    wrong: int
    undecided: int


class Judged(Frozen):
    """The verdicts that a step of a recipe chose by.

    Attributes:
        notes: in words, what was not answered and how far answers agree.
    """

    step: str
    groups: tuple[JudgedGroup, ...]
    notes: tuple[str, ...] = ()


class Funnel(Frozen):
    """How a candidate that a recipe made came about, the first step first, and what was judged on the way."""

    candidate: str
    steps: tuple[FunnelStep, ...]
    judged: tuple[Judged, ...] = ()


class StageCost(Frozen):
    """What a stage took, summed over its artifacts, whether made now or found in the store."""

    stage: str
    artifacts: int
    seconds: float
    tokens: int | None = None


class Named(Frozen):
    """One labelled fact."""

    name: str
    value: str


class ReportData(Frozen):
    """Everything a report shows. What is not known is left out, and its section with it.

    Attributes:
        study: the study's name.
        question: what was asked, in one or two sentences.
        setting: facts of the study worth a line each: base model, stage, weight, token budget, seeds.
        comparison: the verdicts and deltas.
        sources: what was trained on, a row an arm and source.
        drops: what was left out.
        card: the validated set.
        funnels: how each candidate that a recipe made came about.
        ledgers: what each candidate fixed and broke.
        power: what the study could show, as planned.
        points: what a point of each candidate cost.
        costs: tokens and seconds by stage.
        engines: name and version of each engine that had a part.
        digests: name and digest of each input and artifact worth naming.
        machine: what it ran on, in a few words.
        study_hash: the study's identity, fixed before the run; empty where the results are not of a study.
        date: when its comparison was made, ISO 8601.
        warnings: anything else that a reader has to know, beside those of the comparison.
    """

    study: str
    question: str
    setting: tuple[Named, ...] = ()
    comparison: Comparison
    sources: tuple[SourceUse, ...] = ()
    drops: tuple[Dropped, ...] = ()
    card: ValidatedCard | None = None
    funnels: tuple[Funnel, ...] = ()
    ledgers: tuple[Ledger, ...] = ()
    power: PowerPlan | None = None
    points: tuple[CostPerPoint, ...] = ()
    costs: tuple[StageCost, ...] = ()
    engines: tuple[Named, ...] = ()
    digests: tuple[Named, ...] = ()
    machine: str = ""
    study_hash: str = ""
    date: str
    warnings: tuple[str, ...] = ()

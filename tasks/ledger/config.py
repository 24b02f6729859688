"""What a ledger is told: what counts as near, as held and as enough examples."""

from __future__ import annotations

from pydantic import Field

from tasks.core.identity import Frozen
from tasks.core.store import ArtifactRef

STAGE = "ledger"
#: Raised whenever the meaning of a ledger changes. 2: topics and levels that benchmarks give their items.
STAGE_VERSION = 2


class LedgerConfig(Frozen):
    """How items are grouped and how many are shown.

    Attributes:
        primary: the benchmarks that decide: their items are shown first, and only they are tested.
        shown: the most items of each kind, fixed and broken, that are shown with their texts.
        near: a training row is near to an item from this share of the item's own BM25 score on, unless nearly all items
            or nearly none have such a row.
        held: an item's text is held by the rows from this share of its n-grams on; the ratio at which `decontaminate`
            drops a row.
        confidence: that of the odds ratios' intervals.
    """

    primary: tuple[str, ...] = ()
    shown: int = Field(default=10, ge=0)
    near: float = Field(default=0.5, gt=0, le=1)
    held: float = Field(default=0.5, gt=0, le=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)


class SeedScores(Frozen):
    """The scores (SCORES) of both arms on one benchmark with one seed."""

    benchmark: str
    seed: int
    control: ArtifactRef
    candidate: ArtifactRef


class Texts(Frozen):
    """The artifacts that say more of items than their scores; each may be unknown.

    Attributes:
        records: what the candidate is, as trained on (RECORDS).
        items: what the items say (ITEMS).
        labels: what the items are about and how hard they are (LABELS).
        nearest: the candidate's rows nearest to each item (NEIGHBOURS).
        failures: the failed questions nearest to each item (NEIGHBOURS), where the candidate was made for them.
        exposures: a table of EXPOSURES of the items in the candidate's rows, and the folder of the artifact it is in.
    """

    records: ArtifactRef | None = None
    items: ArtifactRef | None = None
    labels: ArtifactRef | None = None
    nearest: ArtifactRef | None = None
    failures: ArtifactRef | None = None
    exposures: ArtifactRef | None = None
    exposures_folder: str = "items"

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each one that is known, by its role."""
        known = {
            name: getattr(self, name) for name in ("records", "items", "labels", "nearest", "failures", "exposures")
        }
        return {name: ref.digest for name, ref in known.items() if ref is not None}

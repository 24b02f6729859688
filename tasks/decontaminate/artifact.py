"""What the decontaminate stage publishes: by which keys, under which names."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.core.identity import Identity
from tasks.core.store import ArtifactRef
from tasks.decontaminate.config import STAGE_VERSION, DecontaminateConfig

#: Tables beside the clean records: OVERLAPS, EXPOSURES, and the n-grams that count for no item.
OVERLAPS_FOLDER = "overlaps"
EXPOSURES_FOLDER = "items"
BOILERPLATE_FOLDER = "boilerplate"
#: The stage of what `report_overlaps` publishes.
OVERLAP_STAGE = "overlap"
Items = ArtifactRef | Mapping[str, ArtifactRef]


def identity(config: DecontaminateConfig, records: ArtifactRef, items: Items) -> Identity:
    """Return what a decontamination is: its rule, the records and the items of all benchmarks."""
    inputs = {f"items-{name}": ref.digest for name, ref in item_tables(items).items()}
    return Identity.of("decontaminate", STAGE_VERSION, config, {"records": records.digest, **inputs})


def overlap_identity(config: DecontaminateConfig, records: ArtifactRef, items: ArtifactRef) -> Identity:
    """Return what a report of overlaps is: its rule, the records and the items of all benchmarks."""
    return Identity.of(OVERLAP_STAGE, STAGE_VERSION, config, {"records": records.digest, "items": items.digest})


def item_tables(items: Items) -> dict[str, ArtifactRef]:
    """Return the tables of items by name; of all benchmarks in one, under ``all``."""
    return {"all": items} if isinstance(items, ArtifactRef) else dict(items)

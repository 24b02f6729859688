"""What the ledger stage publishes: by which keys, under which names."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.core.identity import Identity
from tasks.core.ledgers import Ledger
from tasks.core.store import ArtifactRef, Store
from tasks.ledger.config import STAGE, STAGE_VERSION, LedgerConfig, SeedScores, Texts

LEDGER = "ledger.json"


def identity(candidate: str, config: LedgerConfig, scores: Sequence[SeedScores], texts: Texts) -> Identity:
    """Return what a ledger is: its rule, both arms' scores and what is known of the items."""
    inputs = {f"{one.benchmark}/{one.seed}/control": one.control.digest for one in scores}
    inputs |= {f"{one.benchmark}/{one.seed}/candidate": one.candidate.digest for one in scores}
    return Identity.of(STAGE, STAGE_VERSION, {"candidate": candidate, "rule": config}, {**inputs, **texts.digests})


def read_ledger(store: Store, ref: ArtifactRef) -> Ledger:
    """Return what `write_ledger` published."""
    return Ledger.model_validate_json((store.folder(ref) / LEDGER).read_text(encoding="utf-8"))

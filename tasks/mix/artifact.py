"""What the mix stage publishes: by which keys, under which names."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.core.identity import Identity
from tasks.core.store import ArtifactRef, Store
from tasks.mix.config import STAGE_VERSION, PackConfig, PackSize, PlanConfig

SIZE_FILE = "size.json"
SHARES_FILE = "shares.json"


def pack_identity(config: PackConfig, records: ArtifactRef, tokenizer: str, template: str) -> Identity:
    """Return the identity of a source's pack; `tokenizer` and `template` are digests."""
    inputs = {"records": records.digest, "tokenizer": tokenizer, "template": template}
    return Identity.of("pack", STAGE_VERSION, config, inputs)


def plan_identity(config: PlanConfig, packs: Mapping[str, ArtifactRef]) -> Identity:
    """Return the identity of an arm's plan: its config and the packs of its own sources."""
    return Identity.of("plan", STAGE_VERSION, config, {name: packs[name].digest for name in sources(config)})


def sources(config: PlanConfig) -> list[str]:
    """Return the sources that an arm draws from."""
    return [*config.weights, *([config.candidate.name] if config.candidate else [])]


def read_size(store: Store, ref: ArtifactRef) -> PackSize:
    """Return what a pack holds."""
    return PackSize.model_validate_json((store.folder(ref) / SIZE_FILE).read_text())

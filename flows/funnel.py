"""How a dataset came about, step by step: rows in and out, why rows were dropped, and what it took.

Read from the manifests alone, from the finished dataset back to what it started from.
"""

from __future__ import annotations

from tasks.core.identity import Frozen
from tasks.core.store import ArtifactRef, Manifest, Store


class Step(Frozen):
    """One artifact on the way.

    Attributes:
        stage: the stage that made it.
        artifact: its path in the store.
        rows, dropped: how many rows it holds, and how many were left out.
        reasons: of the dropped ones, by reason.
        tokens: prompt and output tokens of a model that was asked.
        seconds: how long it took.
        cost: at the prices that the runtime declared.
        engines: what made it, by package and version.
    """

    stage: str
    artifact: str
    rows: int
    dropped: int
    reasons: dict[str, int]
    tokens: int
    seconds: float
    cost: float
    engines: dict[str, str]


def funnel(store: Store, ref: ArtifactRef) -> list[Step]:
    """Return the steps behind an artifact of this store, the first one first."""
    steps: dict[str, Step] = {}
    _collect(store, ref.path, steps)
    return list(steps.values())


def _collect(store: Store, path: str, steps: dict[str, Step]) -> None:
    manifest = store.manifest(ArtifactRef(path=path, digest="", num_rows=0))
    for source in manifest.sources.values():
        # A source may also be a name, or a folder elsewhere.
        if source not in steps and (store.root / source / "manifest.json").exists():
            _collect(store, source, steps)
    steps[path] = _step(path, manifest)


def _step(path: str, manifest: Manifest) -> Step:
    facts = manifest.provenance
    return Step(
        stage=manifest.identity.stage,
        artifact=path,
        rows=manifest.num_rows,
        dropped=manifest.num_dropped,
        reasons=facts.get("dropped", {}),
        tokens=facts.get("prompt_tokens", 0) + facts.get("output_tokens", 0),
        seconds=manifest.seconds,
        cost=facts.get("cost", 0.0),
        engines={name: str(found) for name, found in facts.get("engines", {}).items()},
    )

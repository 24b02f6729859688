"""What a run has spent on answers, told from the store: so a cap holds over all of a run, however often it was cut off.

Every set of answers that a run uses counts once, at what it took when it was made, whoever asked for it first.
"""

from __future__ import annotations

from collections.abc import Iterable

from flows.funnel import funnel
from tasks.core.store import ArtifactRef, Store
from tasks.generate.budget import NOTHING, Spent
from tasks.generate.config import STAGE, GenerateRuntime


def spent_on(store: Store, refs: Iterable[ArtifactRef], runtime: GenerateRuntime) -> Spent:
    """Return what the answers behind some artifacts took, nothing where `runtime` has no cap that asks for it."""
    if runtime.max_tokens is None and runtime.max_cost is None:
        return NOTHING
    steps = {step.artifact: step for ref in refs for step in funnel(store, ref) if step.stage == STAGE}
    return sum((Spent(step.tokens, step.cost) for step in steps.values()), NOTHING)

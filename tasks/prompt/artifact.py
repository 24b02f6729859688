"""What the prompt stage publishes: by which keys."""

from __future__ import annotations

from tasks.core.identity import Identity
from tasks.core.store import ArtifactRef
from tasks.prompt.config import STAGE_VERSION, PromptConfig


def questions_identity(records: ArtifactRef, needs_reference: bool = False) -> Identity:
    """Return the identity of the questions of records."""
    return Identity.of("questions", STAGE_VERSION, {"needs_reference": needs_reference}, {"records": records.digest})


def prompt_identity(config: PromptConfig, questions: ArtifactRef) -> Identity:
    """Return the identity of the requests that questions make."""
    return Identity.of("prompt", STAGE_VERSION, config, {"questions": questions.digest})


def new_problems_identity(name: str, overlap: float, questions: ArtifactRef, outcomes: ArtifactRef) -> Identity:
    """Return the identity of the new problems in what a model wrote; the name is part of their row ids."""
    inputs = {"questions": questions.digest, "outcomes": outcomes.digest}
    return Identity.of("problems", STAGE_VERSION, {"name": name, "largest_overlap": overlap}, inputs)

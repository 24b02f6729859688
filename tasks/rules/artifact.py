"""What the rules stage publishes: by which keys."""

from __future__ import annotations

from tasks.core.identity import Identity
from tasks.rules.config import STAGE_VERSION, Drills, ProblemSet


def identity(name: str, recipe: ProblemSet | Drills) -> Identity:
    """Return the identity of a recipe's dataset under a source's name, which is part of its rows' ids."""
    config = recipe.model_dump(mode="json")  # integer keys of a mapping become strings
    return Identity.of("rules", STAGE_VERSION, {"name": name, "recipe": config}, {})

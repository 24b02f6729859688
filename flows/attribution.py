"""What a recipe's filters are worth: the recipe once more without each of them, as arms of the study.

Decontamination is never left out: an arm without it would measure what leaked, not what the filter is worth.
"""

from __future__ import annotations

from flows.recipes import Augment, Distill, TaughtRecipe


def filters(recipe: TaughtRecipe) -> tuple[str, ...]:
    """Return the names of a recipe's own filters that are on, in the order in which rows meet them."""
    found = []
    if isinstance(recipe, Augment) and recipe.largest_overlap < 1:
        found.append("overlap")
    if recipe.dedup is not None:
        found.append("dedup")
    if isinstance(recipe, Distill | Augment) and recipe.judge.mode != "none":
        found.append("judge")
    return tuple(found)


def without(recipe: TaughtRecipe, name: str) -> TaughtRecipe:
    """Return a recipe without one of its `filters`."""
    match name, recipe:
        case "overlap", Augment():
            return recipe.model_copy(update={"largest_overlap": 1.0})
        case "judge", Distill() | Augment():
            return recipe.model_copy(update={"judge": recipe.judge.model_copy(update={"mode": "none"})})
        case "dedup", _:
            return recipe.model_copy(update={"dedup": None})
        case _:
            raise ValueError(f"a recipe of kind {recipe.kind} has no filter {name!r}")

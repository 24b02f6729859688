"""Augment: new problems like given ones, kept where two solutions, blind to each other, agree."""

from __future__ import annotations

from flows.caching import cached
from flows.recipes import Augment, Retrieve
from flows.retrieve import retrieved_seeds, seeds
from flows.workshop import Workshop
from tasks.core.store import ArtifactRef
from tasks.prompt.artifact import new_problems_identity
from tasks.prompt.task import new_problems


def augment(shop: Workshop, recipe: Augment) -> ArtifactRef:
    """Return new problems with the solutions that are kept (RECORDS)."""
    given = retrieved_seeds(shop, recipe.seeds) if isinstance(recipe.seeds, Retrieve) else seeds(shop, recipe.seeds)
    sources = shop.questions(given)
    written = shop.answers(sources, recipe.similar, recipe.writer)
    identity = new_problems_identity(shop.name, recipe.largest_overlap, sources, written)
    read = cached(new_problems, shop.store, [identity])
    problems = read(shop.name, recipe.largest_overlap, sources, written, shop.store.root)
    questions = shop.questions(shop.clean(problems, recipe.dedup, recipe.decontaminate))
    answers = shop.answers(questions, recipe.prompt, recipe.solver)
    verdicts = shop.verdicts(recipe.judge, recipe.prompt.samples, answers, questions)
    return shop.kept(recipe.keep, questions, answers, verdicts)

"""Distil: a teacher answers questions several times; of the answers that hold up, one a question is kept."""

from __future__ import annotations

from flows.recipes import Distill
from flows.workshop import Workshop
from tasks.core.store import ArtifactRef


def distill(shop: Workshop, recipe: Distill) -> ArtifactRef:
    """Return the questions with the answers that are kept (RECORDS).

    What repeats, what gives a benchmark away and what cannot be judged goes before the teacher is asked, so that nobody
    pays for it.
    """
    records = shop.clean(shop.read(recipe.questions), recipe.dedup, recipe.decontaminate)
    questions = shop.questions(records, needs_reference=recipe.judge.mode == "reference")
    answers = shop.answers(questions, recipe.prompt, recipe.teacher)
    verdicts = shop.verdicts(recipe.judge, recipe.prompt.samples, answers, questions, recipe.reader)
    originals = shop.read(recipe.originals) if recipe.originals else None
    return shop.kept(recipe.keep, questions, answers, verdicts, originals)

"""Failures: the questions of a training split that a model gets wrong again and again."""

from __future__ import annotations

from flows.recipes import Failures
from flows.workshop import Workshop
from tasks.core.asked import asked
from tasks.core.errors import StudyError
from tasks.core.rows import ITEMS, RECORDS, read_rows
from tasks.core.store import ArtifactRef
from tasks.decontaminate.exact import shared_items


def failures(shop: Workshop, recipe: Failures) -> ArtifactRef:
    """Return the failed questions with their references (RECORDS).

    Raises:
        StudyError: if no benchmark is declared, or one of its items is among the questions.
    """
    records = shop.read(recipe.questions)
    prove_unseen(shop, records, recipe.questions.name)
    clean = shop.clean(records, recipe.dedup, recipe.decontaminate)
    questions = shop.questions(clean, needs_reference=True)
    answers = shop.answers(questions, recipe.prompt, recipe.model)
    verdicts = shop.verdicts(recipe.judge, recipe.prompt.samples, answers, questions)
    return shop.failed(recipe.wrong, questions, verdicts)


def prove_unseen(shop: Workshop, records: ArtifactRef, name: str) -> None:
    """Prove by hash that no benchmark item is among what records ask: what is made from a test would train for it.

    What is only close to an item is dropped by `decontaminate`; an item itself means that the split is wrong.

    Raises:
        StudyError: as `failures`.
    """
    if shop.items is None:
        raise StudyError(
            f"{name}: failures need the benchmarks that they must not come from",
            remedy="declare `benchmarks`, so that their items can be told from training questions",
        )
    store = shop.store
    questions = ((row["row_id"], asked(row)) for row in read_rows(store.folder(records), RECORDS))
    items = ((row["benchmark"], row["item"], row["text"]) for row in read_rows(store.folder(shop.items), ITEMS))
    if shared := shared_items(questions, items):
        first = shared[0]
        raise StudyError(
            f"{name}: {len(shared)} of its questions are benchmark items, the first is {first.item} of "
            f"{first.benchmark} (row {first.row_id})",
            remedy="give the training split alone; a test's items can never be seeds",
        )

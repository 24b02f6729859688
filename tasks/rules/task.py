"""The rules task: a declared problem set in, its records out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefect import task

from tasks.core.identity import Identity, fingerprint
from tasks.core.rows import RECORDS, write_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.rules.config import STAGE_VERSION, ProblemSet
from tasks.rules.igsm import draw_problems, wrong_solution


def identity(name: str, recipe: ProblemSet) -> Identity:
    """Return the identity of a problem set under a source's name, which is part of its rows' ids."""
    config = recipe.model_dump(mode="json")  # integer keys of a mapping become strings
    return Identity.of("rules", STAGE_VERSION, {"name": name, "recipe": config}, {})


@task(name="rules", task_run_name="rules {name}")
def make_problems(name: str, recipe: ProblemSet, store_root: Path) -> ArtifactRef:
    """Publish a problem set as records (RECORDS): questions with worked solutions."""

    def build(draft: Draft) -> None:
        draft.num_rows, draft.columns = write_rows(draft.folder, problem_records(name, recipe), RECORDS), RECORDS

    return Store(store_root).produce(identity(name, recipe), build)


def problem_records(name: str, recipe: ProblemSet) -> Iterator[dict[str, Any]]:
    """Yield the records of a problem set."""
    rng = random.Random(f"{recipe.seed}:wrong")
    for number, problem in enumerate(draw_problems(recipe.problems, recipe.count, recipe.seed), start=1):
        answer = problem.solution if recipe.solutions == "worked" else wrong_solution(problem, rng)
        messages = [{"role": "user", "content": problem.question}, {"role": "assistant", "content": answer}]
        yield {
            "row_id": fingerprint([name, None, messages])[:32],
            "source": name,
            "origin": f"igsm:{number}",
            "text": None,
            "messages": messages,
        }

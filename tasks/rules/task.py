"""The rules task: a recipe in, its records out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefect import task

from tasks.core.identity import fingerprint
from tasks.core.progress import Report, counted
from tasks.core.rows import RECORDS, write_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.rules.arithmetic import draw_drills
from tasks.rules.artifact import identity
from tasks.rules.config import Drills, ProblemSet
from tasks.rules.igsm import bare_solution, draw_problems, worked_solution, wrong_solution


@task(name="rules", task_run_name="rules {name}")
def make_by_rules(
    name: str, recipe: ProblemSet | Drills, store_root: Path, *, report: Report | None = None
) -> ArtifactRef:
    """Publish what a recipe makes as records (RECORDS)."""

    def build(draft: Draft) -> None:
        rows = counted(rule_records(name, recipe), report)
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, RECORDS), RECORDS

    return Store(store_root).produce(identity(name, recipe), build)


def rule_records(name: str, recipe: ProblemSet | Drills) -> Iterator[dict[str, Any]]:
    """Yield the records of a recipe: questions with worked solutions, or plain documents."""
    contents = _problems(recipe) if isinstance(recipe, ProblemSet) else ((text, None) for text in draw_drills(recipe))
    for number, (text, messages) in enumerate(contents, start=1):
        yield {
            "row_id": fingerprint([name, text, messages])[:32],
            "source": name,
            "origin": f"{recipe.kind}:{number}",
            "text": text,
            "messages": messages,
        }


def _problems(recipe: ProblemSet) -> Iterator[tuple[None, list[dict[str, str]]]]:
    solutions = {"worked": worked_solution, "bare": bare_solution, "wrong": wrong_solution}
    for problem in draw_problems(recipe.problems, recipe.count, recipe.seed):
        answer = solutions[recipe.solutions](problem)
        yield None, [{"role": "user", "content": problem.question}, {"role": "assistant", "content": answer}]

"""How much a study's recipes ask of language models: before it is known how many questions survive, so at most so much.

Nothing is read that is not small: rows are counted in the store, in a file's own index, or by the length of its first
lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from flows.datasets import records_identity
from flows.recipes import Augment, Dataset, Distill, Failures, Retrieve, TaughtRecipe
from flows.work import Work
from tasks.core.identity import fingerprint
from tasks.core.readers import file_format
from tasks.core.store import Store
from tasks.generate.config import GenerateConfig, Teacher
from tasks.ingest.source import files
from tasks.prompt.config import PromptConfig

_PEEK_BYTES = 1 << 20


@dataclass(frozen=True)
class Ask:
    """What one model is asked.

    Attributes:
        key: equal for two recipes that ask the same, and so ask it once.
        requests: at most; None where its questions cannot be counted yet.
    """

    key: str
    model: GenerateConfig
    requests: int | None


def asks(work: Work) -> list[Ask]:
    """Return what the study's recipes ask, each once; what the store has is not asked again."""
    found: dict[str, Ask] = {}
    for source in work.study.sources:
        if isinstance(source.recipe, TaughtRecipe) and work.store.find(work.records_identity(source)) is None:
            asked, _ = _asked(source.recipe, work.store)
            found |= {one.key: one for one in asked}
    return list(found.values())


def teachers(work: Work) -> list[Teacher]:
    """Return every model that the study's recipes ask on devices of one's own, each once."""
    found: dict[str, Teacher] = {}
    for source in work.study.sources:
        found |= {teacher.name: teacher for teacher in _teachers(source.recipe) if teacher.engine == "vllm"}
    return list(found.values())


def rows_of(dataset: Dataset, store: Store) -> int | None:
    """Return how many rows a dataset has, or about how many; None where that takes reading it."""
    if dataset.recipe is not None:
        return dataset.recipe.count
    if (found := store.find(records_identity(dataset))) is not None:
        return found.num_rows
    if dataset.hub is not None:
        return None
    return _sum([_rows_in(path) for path in files(dataset.as_read)])


def _asked(recipe: TaughtRecipe | Dataset, store: Store) -> tuple[list[Ask], int | None]:
    """Return what a recipe asks, and how many rows it gives at most."""
    match recipe:
        case Dataset():
            return [], rows_of(recipe, store)
        case Distill():
            rows = rows_of(recipe.questions, store)
            given = [recipe.questions, recipe.dedup]  # what is dropped first is not asked
            asked = [_ask(given, recipe.prompt, recipe.teacher, rows)]
            if recipe.reader is not None:
                asked.append(_ask([*given, recipe.judge], recipe.prompt, recipe.reader, rows))
            return asked, rows
        case Failures():
            rows = rows_of(recipe.questions, store)
            return [_ask([recipe.questions, recipe.dedup], recipe.prompt, recipe.model, rows)], rows
        case Retrieve():
            asked, rows = _asked(recipe.queries, store)
            return asked, _times(rows, recipe.search.select.k)
        case Augment():
            asked, rows = _asked(recipe.seeds, store)
            written = _times(rows, recipe.similar.samples)
            more = [
                _ask([recipe.seeds], recipe.similar, recipe.writer, rows),
                _ask(
                    [recipe.seeds, recipe.similar, recipe.writer, recipe.largest_overlap, recipe.dedup],
                    recipe.prompt,
                    recipe.solver,
                    written,
                ),
            ]
            return [*asked, *more], written


def _ask(given: Sequence[object], prompt: PromptConfig, model: GenerateConfig, rows: int | None) -> Ask:
    return Ask(key=fingerprint([*given, prompt, model]), model=model, requests=_times(rows, prompt.samples))


def _teachers(value: object) -> Iterator[Teacher]:
    if isinstance(value, Teacher):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _teachers(getattr(value, name))


def _rows_in(path: Path) -> int | None:
    if path.suffix.lower() in (".gz", ".zst"):
        return None
    if file_format(path) == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path).num_rows)
    if file_format(path) == ".json":
        return None
    with path.open("rb") as file:
        head = file.read(_PEEK_BYTES)
    lines = head.count(b"\n") + (not head.endswith(b"\n"))
    return lines if len(head) < _PEEK_BYTES else round(path.stat().st_size / len(head) * lines)


def _times(count: int | None, factor: int) -> int | None:
    return None if count is None else count * factor


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None

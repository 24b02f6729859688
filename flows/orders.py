"""What `assay make` and a study's recipe ask for, and the key of what comes of it: told without making it.

What is made is an artifact of its own, keyed by what is *declared*: the recipe, the content of what it starts from, its
models, the benchmarks that it keeps clear of, and the versions of the stages that it goes through. So whether it is
there can be told without making it, and answers drawn by chance are drawn once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from flows.datasets import check_dataset, records_identity
from flows.declared import declared_in, parse
from flows.recipes import Augment, Dataset, Failures, Retrieve, TaughtRecipe
from flows.study import Runtime
from tasks.core.errors import StudyError
from tasks.core.identity import Frozen, Identity, canonical
from tasks.decontaminate.config import STAGE_VERSION as DECONTAMINATE_VERSION
from tasks.dedup.config import STAGE_VERSION as DEDUP_VERSION
from tasks.embed.config import STAGE_VERSION as EMBED_VERSION
from tasks.embed.config import EmbedConfig
from tasks.embed.encoder_files import find_encoder
from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig
from tasks.evaluate.items import items_identity
from tasks.generate.artifact import teacher_digest
from tasks.generate.config import STAGE_VERSION as GENERATE_VERSION
from tasks.generate.config import Teacher
from tasks.ingest.config import Name
from tasks.judge.config import STAGE_VERSION as JUDGE_VERSION
from tasks.prompt.config import STAGE_VERSION as PROMPT_VERSION
from tasks.retrieve.config import STAGE_VERSION as RETRIEVE_VERSION
from tasks.retrieve.config import Bm25Config

STAGE = "recipe"
#: Raised whenever a flow takes other steps for the same recipe.
RECIPE_VERSION = 3
_VERSIONS = {
    "decontaminate": DECONTAMINATE_VERSION,
    "dedup": DEDUP_VERSION,
    "embed": EMBED_VERSION,
    "generate": GENERATE_VERSION,
    "judge": JUDGE_VERSION,
    "prompt": PROMPT_VERSION,
    "retrieve": RETRIEVE_VERSION,
}


class Order(Frozen):
    """One dataset to be made.

    Attributes:
        name: what it is called.
        recipe: how it is made.
        benchmarks: what it must not give away; a study's own, where it is a study's candidate.
        evaluate: how the benchmarks are asked: where their items are told from it.
    """

    name: Name
    recipe: TaughtRecipe = Field(discriminator="kind")
    benchmarks: tuple[BenchmarkConfig, ...] = ()
    evaluate: EvaluateConfig = EvaluateConfig()


def load_order(path: Path) -> Order:
    """Return the order of a YAML file; its relative paths start at the file's folder.

    Raises:
        StudyError: naming each field that makes no sense, and what to do about it.
    """
    return parse(Order, declared_in(path), str(path))


def order_identity(order: Order, runtime: Runtime) -> Identity:
    """Return the identity of what an order makes.

    Raises:
        StudyError, DataError: if a file, a model or a benchmark is not there.
    """
    inputs = {}
    if order.benchmarks:
        inputs["items"] = items_identity(order.benchmarks, order.evaluate, runtime.evaluate).key
    config = {"name": order.name, "recipe": _declared(order.recipe), "versions": _VERSIONS}
    return Identity.of(STAGE, RECIPE_VERSION, config, inputs)


def check_order(order: Order) -> None:
    """Look at what an order starts from, before any engine is started.

    Raises:
        StudyError: with the field's path and the remedy.
    """
    for field, dataset in _datasets("recipe", order.recipe):
        check_dataset(field, dataset)
    if not order.benchmarks and any(isinstance(part, Failures) for part in _parts(order.recipe)):
        raise StudyError(
            "benchmarks: failures need the benchmarks that they must not come from",
            remedy="declare `benchmarks`, so that their items can be told from training questions",
        )


def _declared(value: Any) -> Any:
    """Return a recipe as canonical values, with files and models by their content and not by their place."""
    match value:
        case Dataset():
            return {"name": value.name, "records": records_identity(value).key}
        case Teacher():
            own = value.model_dump(exclude={"path", "hub", "revision"})
            return {**canonical(own), "model": teacher_digest(value)}
        case EmbedConfig():
            own = value.model_dump(exclude={"path", "hub", "revision"})
            return {**canonical(own), "encoder": find_encoder(value).digest}
        case Retrieve(search=Bm25Config()):
            return {field: _declared(getattr(value, field)) for field in type(value).model_fields if field != "embed"}
        case BaseModel():
            return {field: _declared(getattr(value, field)) for field in type(value).model_fields}
        case tuple():
            return [_declared(item) for item in value]
        case _:
            return canonical(value)


def _datasets(field: str, value: object) -> Iterator[tuple[str, Dataset]]:
    """Yield every dataset that a recipe starts from, with its field's path."""
    if isinstance(value, Dataset):
        yield field, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _datasets(f"{field}.{name}", getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _datasets(field, item)


def _parts(recipe: TaughtRecipe) -> Sequence[TaughtRecipe]:
    """Return a recipe and the recipes that it starts from."""
    match recipe:
        case Retrieve(queries=Failures() as found):
            return [recipe, found]
        case Augment(seeds=Failures() | Retrieve() as found):
            return [recipe, *_parts(found)]
        case _:
            return [recipe]

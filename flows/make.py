"""A dataset made by a recipe: `assay make`, and a study's candidate that is one.

What is made is an artifact of its own, keyed by what is *declared*: the recipe, the content of what it starts from, its
models, the benchmarks that it keeps clear of, and the versions of the stages that it goes through. So whether it is
there can be told without making it, and answers drawn by chance are drawn once.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prefect import flow
from pydantic import BaseModel, Field

from flows.augment import augment
from flows.caching import cached
from flows.datasets import check_dataset, records_identity
from flows.declared import declared_in, parse
from flows.device import device
from flows.distill import distill
from flows.failures import failures
from flows.funnel import funnel
from flows.progress import ItemsProgress
from flows.recipes import Augment, Dataset, Distill, Failures, Retrieve, TaughtRecipe
from flows.retrieve import retrieve
from flows.study import Runtime
from flows.workshop import Workshop
from tasks.anneal.task import release as release_anneals
from tasks.core.errors import StudyError
from tasks.core.identity import Frozen, Identity, canonical
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.decontaminate.config import STAGE_VERSION as DECONTAMINATE_VERSION
from tasks.dedup.config import STAGE_VERSION as DEDUP_VERSION
from tasks.embed.config import STAGE_VERSION as EMBED_VERSION
from tasks.embed.config import EmbedConfig
from tasks.embed.encoder_files import find_encoder
from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig
from tasks.evaluate.task import benchmark_items, items_identity
from tasks.generate.config import STAGE_VERSION as GENERATE_VERSION
from tasks.generate.config import Teacher
from tasks.generate.task import release as release_teachers
from tasks.generate.task import teacher_digest
from tasks.ingest.config import Name
from tasks.judge.config import STAGE_VERSION as JUDGE_VERSION
from tasks.prompt.config import STAGE_VERSION as PROMPT_VERSION
from tasks.retrieve.config import STAGE_VERSION as RETRIEVE_VERSION
from tasks.retrieve.config import Bm25Config, DenseConfig

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


def find_or_make(order: Order, runtime: Runtime, beside: tuple[ArtifactRef, ...] = ()) -> ArtifactRef:
    """Return what an order makes: what the store has of it, without a run of Prefect's, or what `make` makes."""
    found = Store(runtime.store).find(order_identity(order, runtime))
    return found if found is not None else make(order, runtime, beside)


@flow(name="make", flow_run_name="make {order.name}")
def make(
    order: Order,
    runtime: Runtime = Runtime(),  # noqa: B008 - frozen, so it may be shared
    beside: tuple[ArtifactRef, ...] = (),
) -> ArtifactRef:
    """Make a dataset by its recipe (RECORDS; of `retrieve` MATCHED), or find it in the store.

    Args:
        beside: what the same run has made before: the caps on what it asks are over all of it.
    """
    store = Store(runtime.store)
    identity = order_identity(order, runtime)
    if (found := store.find(identity)) is not None:
        return found
    check_order(order)
    release_anneals()  # whoever trained before: the cores are the teacher's now
    shop = Workshop(order.name, runtime, _items(order, runtime, store), beside)
    # Between two questions a teacher stays loaded, so the device is the recipe's until its last one.
    with device(store, [identity] if _is_local(order.recipe) else []):
        try:
            made = _carry_out(shop, order.recipe)
        finally:
            release_teachers()
    # What a model wrote may give a benchmark away that its question did not.
    written = isinstance(order.recipe, Distill | Augment)
    clean = shop.apart(made, order.recipe.decontaminate) if written else made
    return publish_made(store, identity, made, clean)


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


def _carry_out(shop: Workshop, recipe: TaughtRecipe) -> ArtifactRef:
    match recipe:
        case Distill():
            return distill(shop, recipe)
        case Failures():
            return failures(shop, recipe)
        case Retrieve():
            return retrieve(shop, recipe)
        case Augment():
            return augment(shop, recipe)


def _is_local(value: object) -> bool:
    """Say whether a recipe runs a model on this machine, and not behind an endpoint alone."""
    match value:
        case Teacher():
            return value.engine == "vllm"
        case Retrieve(search=DenseConfig()):
            return True
        case BaseModel():
            return any(_is_local(getattr(value, field)) for field in type(value).model_fields)
        case _:
            return False


def _items(order: Order, runtime: Runtime, store: Store) -> ArtifactRef | None:
    if not order.benchmarks:
        return None
    asked = (order.benchmarks, order.evaluate, runtime.evaluate)
    with ItemsProgress(order.benchmarks) as progress:
        return cached(benchmark_items, store, [items_identity(*asked)])(*asked, store.root, report=progress)


def publish_made(store: Store, identity: Identity, made: ArtifactRef, clean: ArtifactRef) -> ArtifactRef:
    """Publish what is clean of what was made under the recipe's own key, sharing its files where the disk can.

    Both are its sources: what is clean may have been cleaned before, by its content, and then names others.
    """
    return store.produce(identity, lambda draft: _take_over(store, made, clean, draft))


def _take_over(store: Store, made: ArtifactRef, clean: ArtifactRef, draft: Draft) -> None:
    for file in sorted(store.folder(clean).glob("rows-*.parquet")):
        _share(file, draft.folder / file.name)
    steps = list({step.artifact: step for step in [*funnel(store, made), *funnel(store, clean)]}.values())
    reasons = Counter[str]()
    for step in steps:
        reasons.update(step.reasons)
    draft.num_rows, draft.num_dropped, draft.columns = clean.num_rows, reasons.total(), clean.columns
    draft.seconds = sum(step.seconds for step in steps)
    draft.sources = {"made": made.path, "records": clean.path}
    draft.provenance = {
        "dropped": {reason: count for reason, count in reasons.items() if count},
        "tokens": sum(step.tokens for step in steps),
        "cost": sum(step.cost for step in steps),
        "engines": {name: found for step in steps for name, found in step.engines.items()},
    }


def _share(file: Path, place: Path) -> None:
    try:
        os.link(file, place)
    except OSError:  # another file system, or one without links
        shutil.copy(file, place)


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

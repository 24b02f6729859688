"""A dataset made by a recipe: `assay make`, and a study's candidate that is one."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

from prefect import flow
from pydantic import BaseModel

from flows.augment import augment
from flows.caching import cached
from flows.device import device
from flows.distill import distill
from flows.failures import failures
from flows.funnel import funnel
from flows.orders import Order, check_order, order_identity
from flows.progress import ItemsProgress
from flows.recipes import Augment, Distill, Failures, Retrieve, TaughtRecipe
from flows.retrieve import retrieve
from flows.study import Runtime
from flows.workshop import Workshop
from tasks.anneal.task import release as release_anneals
from tasks.core.identity import Identity
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.evaluate.task import benchmark_items, items_identity
from tasks.generate.config import Teacher
from tasks.generate.task import release as release_teachers
from tasks.retrieve.config import DenseConfig


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

"""The quick start: a tiny model trained on the spot, so that a study of it needs nothing but this repository.

`quickstart` copies the demo study beside its data, draws a held-out benchmark that no training set shares a problem
with, and trains the base model that the study starts from, through the same stages that the study uses. The study
itself is then an ordinary one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from prefect import flow

from flows.caching import cached
from flows.progress import AnnealProgress, say
from flows.study import Runtime, Study, load_study
from flows.work import MODEL_FOLDER
from tasks.anneal.config import AnnealConfig, AnnealJob
from tasks.anneal.config import identity as anneal_identity
from tasks.anneal.task import anneal_arms
from tasks.checkpoint.config import STAGE_VERSION, TinyConfig
from tasks.checkpoint.tiny import make_tiny
from tasks.core.checkpoint import Checkpoint, template_digest, tokenizer_digest
from tasks.core.errors import StudyError
from tasks.core.identity import Frozen, Identity
from tasks.core.rows import read_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.ingest.task import ingest
from tasks.mix.config import PackConfig, PlanConfig
from tasks.mix.render import plain_text
from tasks.mix.task import pack_source, plan_arm
from tasks.rules.config import ProblemSet
from tasks.rules.igsm import draw_problems, worked_solution
from tasks.rules.task import make_by_rules

SHIPPED = Path(__file__).parent.parent / "deployments" / "studies" / "demo"


class Making(Frozen):
    """What the quick start makes before its study: the base model and the held-out benchmarks.

    Attributes:
        model: the base model's architecture and tokenizer.
        tokens: its training budget on the study's validated mix.
        seed: of its weights and its data order.
        anneal: how it is trained.
        held_out: the benchmark files, by name, and the problems in them.
    """

    model: TinyConfig
    tokens: int
    seed: int
    anneal: AnnealConfig
    held_out: dict[str, ProblemSet]


def quickstart(folder: Path, runtime: Runtime) -> Study:
    """Make the demo's study in `folder`, with its data, benchmarks and base model, and return it.

    What is there already stays as it is, so the study may be edited and run again.
    """
    if not SHIPPED.exists():
        raise StudyError(f"{SHIPPED} is not there", remedy="run the demo from a checkout: git clone, then make demo")
    for path in sorted(SHIPPED.iterdir()):
        if not (folder / path.name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / path.name)
    study = load_study(folder / "study.yaml")
    making = Making.model_validate(yaml.safe_load((folder / "making.yaml").read_text(encoding="utf-8")))
    _write_held_out(folder, making, study)
    make_base(study, making, runtime, folder / "base")
    return study


@flow(name="quickstart", flow_run_name="base of {study.name}")
def make_base(study: Study, making: Making, runtime: Runtime, folder: Path) -> None:
    """Train the quick start's base model on the study's validated mix and lay it into `folder`."""
    store = Store(runtime.store)
    records = {source.name: _records(store, study, source.name) for source in study.validated}
    blank = _blank(store, making.model, records)
    pack = PackConfig(stage="pretrain", sequence_length=making.anneal.sequence_length)
    packs = {name: pack_source(name, pack, ref, blank, store.root) for name, ref in records.items()}
    weights = {source.name: source.weight for source in study.validated}
    plan = PlanConfig(weights=weights, sequences=_sequences(making), seed=making.seed)
    job = AnnealJob(
        name="base",
        base=blank.folder,
        base_digest=blank.digest,
        tokenizer=blank.tokenizer,
        template=blank.template,
        packs=packs,
        plan=plan_arm("base", plan, packs, store.root),
        seed=making.seed,
        config=making.anneal,
    )
    anneal = cached(anneal_arms, store, [anneal_identity(job)])
    with AnnealProgress(1) as progress:
        [model] = anneal([job], runtime.anneal, store.root, report=progress).values()
    _lay(store.folder(model) / MODEL_FOLDER, folder)


def _records(store: Store, study: Study, name: str) -> ArtifactRef:
    [source] = [source for source in study.sources if source.name == name]
    if source.recipe is not None:
        return make_by_rules(name, source.recipe, store.root)
    return ingest(source.as_read, store.root)


def _blank(store: Store, model: TinyConfig, records: dict[str, ArtifactRef]) -> Checkpoint:
    """Return a tiny model's config and tokenizer, without weights, as a checkpoint of the store."""

    def build(draft: Draft) -> None:
        make_tiny(draft.folder, _texts(store, records), model)

    inputs = {name: ref.digest for name, ref in records.items()}
    ref = store.produce(Identity.of("tiny", STAGE_VERSION, model, inputs), build)
    folder = store.folder(ref)
    return Checkpoint(
        folder=folder,
        digest=ref.digest,
        tokenizer=tokenizer_digest(folder),
        template=template_digest(None),
        template_text=None,
    )


def _texts(store: Store, records: dict[str, ArtifactRef]) -> Iterator[str]:
    for ref in records.values():
        for record in read_rows(store.folder(ref)):
            yield plain_text(record)


def _sequences(making: Making) -> int:
    step = making.anneal.sequence_length * making.anneal.global_batch
    return making.tokens // step * making.anneal.global_batch


def _write_held_out(folder: Path, making: Making, study: Study) -> None:
    """Write each held-out benchmark: problems of its own that no recipe of the study has drawn."""
    taken = {
        problem.question
        for source in study.sources
        if isinstance(source.recipe, ProblemSet)
        for problem in draw_problems(source.recipe.problems, source.recipe.count, source.recipe.seed)
    }
    for name, recipe in making.held_out.items():
        path = folder / f"{name}.jsonl"
        if not path.exists():
            drawn = draw_problems(recipe.problems, recipe.count * 20, recipe.seed)
            fresh = list(islice((p for p in drawn if p.question not in taken), recipe.count))
            rows: list[dict[str, Any]] = [{"question": p.question, "answer": worked_solution(p)} for p in fresh]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            say("rules", f"{len(rows)} held-out problems in {path}")


def _lay(model: Path, folder: Path) -> None:
    """Copy a trained model to where the study looks for it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(model, folder)
    say("anneal", f"base model in {folder}")

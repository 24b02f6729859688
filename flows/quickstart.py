"""The quick start: a tiny model trained on the spot, so that a study of it needs nothing but this repository.

`quickstart` copies the demo study beside its data, draws held-out benchmarks that no training set shares a problem
with, and trains the base model that the study starts from and the teacher that its distilled candidate asks, through
the same stages that the study uses. The study itself is then an ordinary one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from prefect import flow

from flows.caching import cached
from flows.declared import parse, read_yaml
from flows.device import device
from flows.ingesting import read_records
from flows.progress import AnnealProgress, say
from flows.recipes import Distill
from flows.study import Runtime, Study, load_study
from flows.work import MODEL_FOLDER
from tasks.anneal.config import AnnealConfig, AnnealJob
from tasks.anneal.config import identity as anneal_identity
from tasks.anneal.task import anneal_arms, release
from tasks.checkpoint.config import STAGE_VERSION, TinyConfig
from tasks.checkpoint.tiny import make_tiny
from tasks.core.checkpoint import Checkpoint, template_digest, tokenizer_digest
from tasks.core.errors import StudyError
from tasks.core.identity import Frozen, Identity
from tasks.core.rows import read_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.mix.config import PackConfig, PlanConfig
from tasks.mix.render import plain_text
from tasks.mix.task import pack_source, plan_arm
from tasks.rules.config import ProblemSet
from tasks.rules.igsm import draw_problems, worked_solution
from tasks.rules.task import make_by_rules

SHIPPED = Path(__file__).parent.parent / "deployments" / "studies" / "demo"


class Training(Frozen):
    """How one of the quick start's models is trained.

    Attributes:
        tokens: the budget, padding included.
        seed: of its weights and its data order.
        anneal: how it is trained.
    """

    tokens: int
    seed: int
    anneal: AnnealConfig

    @property
    def sequences(self) -> int:
        """The training sequences: whole steps within the budget."""
        step = self.anneal.sequence_length * self.anneal.global_batch
        return self.tokens // step * self.anneal.global_batch


class Lessons(Frozen):
    """What the teacher learns on top of the base model: problems with worked solutions, and how long."""

    problems: ProblemSet
    training: Training


class Making(Frozen):
    """What the quick start makes before its study: the base model, the teacher and the held-out benchmarks.

    Attributes:
        model: the architecture and tokenizer of both models.
        base: how the base model is trained, on the study's validated mix.
        teacher: how the teacher is trained, from the base model.
        held_out: the benchmark files, by name, and the problems in them.
    """

    model: TinyConfig
    base: Training
    teacher: Lessons
    held_out: dict[str, ProblemSet]


def quickstart(folder: Path, runtime: Runtime) -> Study:
    """Make the demo's study in `folder`, with its data, benchmarks and models, and return it.

    What is there already stays as it is, so the study may be edited and run again; what differs is named.

    Raises:
        StudyError: if this is no checkout, or the study or `making.yaml` makes no sense.
    """
    if not SHIPPED.exists():
        raise StudyError(f"{SHIPPED} is not there", remedy="run the demo from a checkout: git clone, then make demo")
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(SHIPPED.iterdir()):
        _write_once(folder / path.name, path.read_bytes(), "the shipped one")
    study = load_study(folder / "study.yaml")
    making = parse(Making, read_yaml(folder / "making.yaml"), str(folder / "making.yaml"))
    _write_held_out(folder, making, study)
    make_models(study, making, runtime, folder)
    return study


@flow(name="quickstart", flow_run_name="models of {study.name}")
def make_models(study: Study, making: Making, runtime: Runtime, folder: Path) -> None:
    """Train the base model on the study's validated mix, then the teacher from it; lay both into `folder`."""
    store = Store(runtime.store)
    records = {source.name: read_records(source, store) for source in study.validated}
    blank = _blank(store, making.model, records)
    weights = {source.name: source.weight for source in study.validated}
    lessons = {"lessons": make_by_rules("lessons", making.teacher.problems, store.root)}
    with AnnealProgress(2) as progress:
        train = partial(_train, store=store, runtime=runtime, progress=progress)
        base = train("base", blank, records, weights, making.base)
        teacher = train("teacher", base, lessons, {"lessons": 1.0}, making.teacher.training)
        release()  # the cores are the teacher's now
    for name, model in (("base", base), ("teacher", teacher)):
        _lay(model.folder, folder / name)


def _train(
    name: str, start: Checkpoint, records: dict[str, ArtifactRef], weights: dict[str, float], training: Training, *,
    store: Store, runtime: Runtime, progress: AnnealProgress,
) -> Checkpoint:  # fmt: skip
    """Train a model from another on a mix of records and return it."""
    pack = PackConfig(stage="pretrain", sequence_length=training.anneal.sequence_length)
    packs = {source: pack_source(source, pack, ref, start, store.root) for source, ref in records.items()}
    plan = PlanConfig(weights=weights, sequences=training.sequences, seed=training.seed)
    job = AnnealJob(
        name=name,
        base=start.folder,
        base_digest=start.digest,
        tokenizer=start.tokenizer,
        template=start.template,
        packs=packs,
        plan=plan_arm(name, plan, packs, store.root),
        seed=training.seed,
        config=training.anneal,
    )
    identity = anneal_identity(job)
    anneal = cached(anneal_arms, store, [identity])
    with device(store, [identity]):
        [model] = anneal([job], runtime.anneal, store.root, report=progress).values()
    return start.model_copy(update={"folder": store.folder(model) / MODEL_FOLDER, "digest": model.digest})


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


def _write_held_out(folder: Path, making: Making, study: Study) -> None:
    """Write each held-out benchmark: problems of its own that no recipe of the study has drawn."""
    recipes: list[object] = [source.recipe for source in study.sources]
    recipes += [recipe.questions.recipe for recipe in recipes if isinstance(recipe, Distill)]
    sets = [making.teacher.problems, *(recipe for recipe in recipes if isinstance(recipe, ProblemSet))]
    taken = {p.question for drawn in sets for p in draw_problems(drawn.problems, drawn.count, drawn.seed)}
    for name, recipe in making.held_out.items():
        drawn = draw_problems(recipe.problems, recipe.count * 20, recipe.seed)
        fresh = islice((p for p in drawn if p.question not in taken), recipe.count)
        rows = [{"question": p.question, "answer": worked_solution(p)} for p in fresh]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        if _write_once(folder / f"{name}.jsonl", text.encode(), f"what {folder / 'making.yaml'} now asks for"):
            say("rules", f"{len(rows)} held-out problems in {folder / name}.jsonl")


def _write_once(path: Path, content: bytes, expected: str) -> bool:
    """Write a file unless it is there, and say whether it was written; one that is not as `expected` is named."""
    if not path.exists():
        path.write_bytes(content)
        return True
    if path.read_bytes() != content:
        say("demo", f"[yellow]{path} differs from {expected} and is kept; delete {path.parent} to start anew[/]")
    return False


def _lay(model: Path, folder: Path) -> None:
    """Copy a trained model to where the study looks for it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(model, folder)
    say("anneal", f"model in {folder}")

"""The study: one declared question, complete and frozen, checked as a whole when it is built.

::

    Study       what is asked: base model, validated mix, candidates, budget, benchmarks, seeds. Identity.
    Runtime     what it runs on: store, workers, GPUs, tracker. Never changes a result's key.

Both are read from YAML by `load_study` and `load_runtime`, and both are parameters of the Prefect flow, so that its UI
shows them as a typed form. Whatever can be known to be wrong without starting an engine is refused here, with the path
of the field and the remedy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from flows.attribution import filters, without
from flows.declared import declared_in, parse, read_yaml
from flows.machine import PlanRuntime
from flows.recipes import Dataset, Recipe, TaughtRecipe
from tasks.anneal.config import AnnealConfig, AnnealRuntime, accumulation
from tasks.checkpoint.config import ModelConfig
from tasks.compare.config import CompareConfig, FilterArm
from tasks.core.identity import Frozen
from tasks.embed.config import EmbedRuntime
from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig, EvaluateRuntime
from tasks.evaluate.suite import domain_of
from tasks.generate.config import GenerateRuntime
from tasks.ingest.config import Name
from tasks.judge.config import JudgeRuntime
from tasks.mix.config import CandidateShare, PackConfig, PlanConfig, TrainingStage, Unit
from tasks.retrieve.config import RetrieveRuntime
from tasks.track.config import TrackConfig

CONTROL = "control"


class Source(Dataset):
    """A dataset to train on: a file, a hub dataset, or a recipe that makes it.

    Attributes:
        recipe: a recipe instead of a file or a hub dataset.
    """

    recipe: Recipe | None = None  # type: ignore[assignment]  # wider: recipes that ask a teacher, too

    @model_validator(mode="after")
    def _has_answers(self) -> Source:
        if "question" in self.columns and "answer" not in self.columns:
            raise ValueError(f"{self.name}: `columns` names no `answer` to train on; a recipe's questions need none")
        return self


class ValidatedSource(Source):
    """One source of the validated mix.

    Attributes:
        weight: its share of the mix's tokens, relative to the other sources' weights (they need not sum to one).
    """

    weight: float = Field(gt=0)


class LeftOut(Frozen):
    """A candidate made without one of its filters."""

    source: Source
    lacks: FilterArm


class Study(Frozen):
    """One question: does each candidate make the base model better than equally many tokens of validated data?

    Attributes:
        name: what the study is called in every report, and on the command line.
        question: what is asked, in a sentence or two, for the report.
        base: the model that every arm starts from.
        stage: ``pretrain`` trains on raw text, loss on all tokens; ``sft`` on chats, loss on the answer only.
        chat_template: a Jinja chat template in place of the model's own (``sft``).
        validated: the sources of the validated mix: all that the control is trained on.
        candidates: the datasets under test; each replaces its share of the validated mix in an arm of its own.
        candidate_weight: that share.
        candidate_unit: what it is a share of: ``tokens``, or ``samples`` as the paper has it.
        max_epochs: how often a candidate may be repeated before the study is refused.
        tokens: the training budget of each anneal, padding included.
        seeds: one anneal of each arm a seed; seed s has the same validated stream in every arm.
        anneal: optimiser, schedule, batch, sequence length.
        benchmarks: what every arm is scored on.
        evaluate: how it is asked.
        compare: which benchmarks decide, and the margins of the others.
        attribute_filters: for each candidate that a recipe with filters makes, one arm more for each filter, made
            without it; what the filter is worth is the difference. Such arms have no verdict of their own.
    """

    name: Name
    question: str = ""
    base: ModelConfig
    stage: TrainingStage
    chat_template: str | None = None
    validated: Annotated[tuple[ValidatedSource, ...], Field(min_length=1)]
    candidates: Annotated[tuple[Source, ...], Field(min_length=1)]
    candidate_weight: float = Field(default=0.2, gt=0, lt=1)
    candidate_unit: Unit = "tokens"
    max_epochs: float = Field(default=4.0, gt=0)
    tokens: int = Field(gt=0)
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2, 3, 4, 5)
    anneal: AnnealConfig = AnnealConfig()
    benchmarks: Annotated[tuple[BenchmarkConfig, ...], Field(min_length=1)]
    evaluate: EvaluateConfig = EvaluateConfig()
    compare: CompareConfig = CompareConfig()
    attribute_filters: bool = False

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
            raise ValueError("seeds must be different whole numbers from 0 to 4294967295")
        return seeds

    @model_validator(mode="before")
    @classmethod
    def _profile_follows_stage(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("evaluate", {}), dict):
            return data
        profile: Literal["base", "chat"] = "chat" if data.get("stage") == "sft" else "base"
        asked = data.get("evaluate", {}).get("profile", profile)
        if asked != profile:
            raise ValueError(f"evaluate.profile: a {data.get('stage')} study is asked by the {profile} profile")
        return data | {"evaluate": data.get("evaluate", {}) | {"profile": profile}}

    @model_validator(mode="after")
    def _makes_sense(self) -> Study:
        names = [CONTROL, *(source.name for source in self.sources)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"candidates: the name {twice[0]!r} is taken; sources, candidates and control need their own"
            )
        benchmarks = [benchmark.name for benchmark in self.benchmarks]
        if twice := sorted({name for name in benchmarks if benchmarks.count(name) > 1}):
            raise ValueError(f"benchmarks: {twice[0]!r} is listed twice; list each once")
        if unknown := sorted(set(self.compare.primary or ()) - set(benchmarks)):
            raise ValueError(
                f"compare.primary: {unknown[0]!r} is not among the study's benchmarks; add it, or leave it out"
            )
        if self.compare.primary is None and not any(domain_of(one) == "math" for one in self.benchmarks):
            raise ValueError(
                f"compare.primary: none of {', '.join(benchmarks)} is of domain math, so nothing decides; name the "
                "benchmarks that do"
            )
        if self.compare.looks and len(self.seeds) not in self.compare.looks:
            looks = ", ".join(map(str, self.compare.looks))
            raise ValueError(f"compare.looks: the study has {len(self.seeds)} seeds and looks at {looks}; add a look")
        if self.attribute_filters and not self.leave_one_out:
            raise ValueError(
                "attribute_filters: no candidate is made by a recipe with a filter that is on, so there is none to "
                "leave out; turn a recipe's filter on, or take `attribute_filters` out"
            )
        if self.sequences == 0:
            step = self.anneal.sequence_length * self.anneal.global_batch
            raise ValueError(
                f"tokens: {self.tokens} is less than one step of {self.anneal.global_batch} sequences x "
                f"{self.anneal.sequence_length} tokens; give {step} or more"
            )
        return self

    @property
    def sequences(self) -> int:
        """The training sequences of one anneal: whole steps within the budget."""
        step = self.anneal.sequence_length * self.anneal.global_batch
        return self.tokens // step * self.anneal.global_batch

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every source, the validated ones first."""
        return (*self.validated, *self.candidates, *(one.source for one in self.leave_one_out))

    @property
    def leave_one_out(self) -> tuple[LeftOut, ...]:
        """The candidates made without one of their filters, where the study asks what filters are worth."""
        recipes = [(one, one.recipe) for one in self.candidates if isinstance(one.recipe, TaughtRecipe)]
        return tuple(
            LeftOut(
                source=candidate.model_copy(
                    update={"name": f"{candidate.name}-without-{name}", "recipe": without(recipe, name)}
                ),
                lacks=FilterArm(arm=f"{candidate.name}-without-{name}", candidate=candidate.name, filter=name),
            )
            for candidate, recipe in recipes
            for name in filters(recipe)
            if self.attribute_filters
        )

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms' names, the control first."""
        candidates = (*self.candidates, *(one.source for one in self.leave_one_out))
        return (CONTROL, *(candidate.name for candidate in candidates))

    @property
    def pack(self) -> PackConfig:
        """How every source is packed."""
        return PackConfig(stage=self.stage, sequence_length=self.anneal.sequence_length)

    def plan(self, arm: str, seed: int) -> PlanConfig:
        """Return how an arm is drawn with a seed."""
        candidate = None
        if arm != CONTROL:
            candidate = CandidateShare(name=arm, share=self.candidate_weight, unit=self.candidate_unit)
        total = sum(source.weight for source in self.validated)
        weights = {source.name: round(source.weight / total, 12) for source in self.validated}
        return PlanConfig(weights=weights, sequences=self.sequences, seed=seed, candidate=candidate)


class Runtime(Frozen):
    """What a study runs on. Changing any of it reruns nothing.

    Attributes:
        store: the folder of the store.
        anneal: workers, GPUs, ZeRO stage, checkpoints.
        evaluate: the evaluation environment, benchmark files, processes, device.
        generate: actors, GPUs, endpoint, deadlines, prices and budget of whatever asks a language model.
        judge: processes that compare answers.
        embed: devices of the encoder.
        retrieve: threads and memory of the search.
        track: the MLflow server, SQLite under the store by default.
        plan: the devices that a plan reckons with, prices, and when a study is refused.
    """

    store: Path = Path("store")
    anneal: AnnealRuntime = AnnealRuntime()
    evaluate: EvaluateRuntime = EvaluateRuntime()
    generate: GenerateRuntime = GenerateRuntime()
    judge: JudgeRuntime = JudgeRuntime()
    embed: EmbedRuntime = EmbedRuntime()
    retrieve: RetrieveRuntime = RetrieveRuntime()
    track: TrackConfig = TrackConfig()
    plan: PlanRuntime = PlanRuntime()


def load_study(path: Path) -> Study:
    """Return the study of a YAML file; its relative paths start at the file's folder.

    Raises:
        StudyError: naming each field that makes no sense, and what to do about it.
    """
    return parse_study(declared_in(path), str(path))


def parse_study(data: object, where: str) -> Study:
    """Return the study that `data` declares, paths as they stand.

    Raises:
        StudyError: as `load_study`.
    """
    return parse(Study, data, where)


def load_runtime(path: Path | None) -> Runtime:
    """Return the runtime of a YAML file, its paths as they stand, or the default one.

    Raises:
        StudyError: naming each field that makes no sense.
    """
    return Runtime() if path is None else parse(Runtime, read_yaml(path), str(path))


def check_runtime(study: Study, runtime: Runtime) -> None:
    """Refuse a runtime that cannot carry a study out, before anything starts.

    Raises:
        StudyError: if the global batch does not divide over the workers.
    """
    accumulation(study.anneal, runtime.anneal)

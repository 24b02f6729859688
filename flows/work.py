"""The work that a study declares, as identities and jobs: what `assess` runs and `outline` looks up.

Both must agree on what an artifact is, so both get it here. Nothing here starts anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flows.datasets import check_dataset, records_identity
from flows.orders import Order, check_order, order_identity
from flows.recipes import TaughtRecipe
from flows.study import CONTROL, Runtime, Source, Study, check_runtime
from tasks.anneal.config import AnnealJob
from tasks.checkpoint.resolve import resolve
from tasks.compare.config import BenchmarkFacts, CompareConfig, ScoredArm
from tasks.core.checkpoint import Checkpoint
from tasks.core.errors import DataError, StudyError
from tasks.core.identity import Identity, fingerprint
from tasks.core.store import ArtifactRef, Store
from tasks.decontaminate.artifact import overlap_identity
from tasks.decontaminate.config import DecontaminateConfig
from tasks.evaluate.config import BenchmarkConfig, EvaluateJob
from tasks.evaluate.custom import read_custom
from tasks.evaluate.drain import identity_of
from tasks.evaluate.items import items_identity
from tasks.evaluate.registry import REGISTRY
from tasks.evaluate.suite import check_allowed, data_digest, data_files, domain_of, is_written_out, metric_of
from tasks.judge.regrade import RegradeConfig, RegradeJob
from tasks.mix.artifact import pack_identity, plan_identity, read_size, sources
from tasks.mix.config import CandidateShare, PlanConfig
from tasks.mix.plan import check_epochs, sized_by

Refs = Mapping[str, ArtifactRef]


@dataclass(frozen=True)
class Run:
    """One anneal: an arm with a seed."""

    arm: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.arm}/seed-{self.seed}"


RunRefs = Mapping[Run, ArtifactRef]
ScoreRefs = Mapping[tuple[Run, str], ArtifactRef]
MODEL_FOLDER = "model"
#: A benchmark compared as text has its answer on the first line that is not empty.
_FIRST_LINE = r"\A\s*(\S[^\n]*)"


@dataclass(frozen=True)
class Work:
    """A study that makes sense, with its base model found."""

    study: Study
    runtime: Runtime
    base: Checkpoint

    @cached_property
    def store(self) -> Store:
        return Store(self.runtime.store)

    @property
    def runs(self) -> list[Run]:
        """Every anneal, seed by seed, so that the first seed of all arms is there first."""
        return [Run(arm, seed) for seed in self.study.seeds for arm in self.study.arms]

    def study_hash(self) -> str:
        """Return the hash that fixes what is asked: the study with files and models by content, not by place.

        Raises:
            DataError: where a benchmark's file is missing.
        """
        declared = self.study.model_dump(mode="json", exclude={"base", "validated", "candidates", "benchmarks"})
        weights = {source.name: source.weight for source in self.study.validated}
        benchmarks = [b.model_dump(mode="json", exclude={"file", "few_shot_file"}) for b in self.study.benchmarks]
        items = [data_digest(b, Path(self.runtime.evaluate.data)) for b in self.study.benchmarks]
        sources = [self.records_identity(source).key for source in self.study.sources]
        return fingerprint([declared, self.base.digest, weights, benchmarks, items, sources])

    def records_identity(self, source: Source) -> Identity:
        """Return the identity of a source's records."""
        if isinstance(source.recipe, TaughtRecipe):
            return order_identity(self.order(source.name, source.recipe), self.runtime)
        return records_identity(source)

    def order(self, name: str, recipe: TaughtRecipe) -> Order:
        """Return the order of a candidate that a recipe makes: it keeps clear of the study's benchmarks."""
        return Order(name=name, recipe=recipe, benchmarks=self.study.benchmarks, evaluate=self.study.evaluate)

    def pack_identity(self, records: ArtifactRef) -> Identity:
        """Return the identity of a source's pack."""
        return pack_identity(self.study.pack, records, self.base.tokenizer, self.base.template)

    def plan_identity(self, run: Run, packs: Refs) -> Identity:
        """Return the identity of a run's plan."""
        return plan_identity(self.study.plan(run.arm, run.seed), packs)

    def packs_of(self, run: Run, packs: Refs) -> dict[str, ArtifactRef]:
        """Return the packs that a run draws from."""
        return {name: packs[name] for name in sources(self.study.plan(run.arm, run.seed))}

    def anneal_job(self, run: Run, packs: Refs, plan: ArtifactRef) -> AnnealJob:
        """Return what `anneal` has to know of a run."""
        return AnnealJob(
            name=run.name,
            base=self.base.folder,
            base_digest=self.base.digest,
            tokenizer=self.base.tokenizer,
            template=self.base.template,
            template_text=self.study.chat_template,
            packs=self.packs_of(run, packs),
            plan=plan,
            seed=run.seed,
            config=self.study.anneal,
        )

    def evaluate_jobs(self, models: RunRefs) -> dict[tuple[Run, str], EvaluateJob]:
        """Return what `evaluate` has to know of each model and benchmark."""
        return {
            (run, benchmark.name): EvaluateJob(
                name=run.name,
                folder=str(self.store.folder(model) / MODEL_FOLDER),
                digest=model.digest,
                tokenizer=self.base.tokenizer,
                template=self.base.template,
                benchmark=benchmark,
            )
            for run, model in models.items()
            for benchmark in self.study.benchmarks
        }

    @cached_property
    def regraded(self) -> dict[str, BenchmarkConfig]:
        """The benchmarks whose answers another grader grades again: mathematics that is written out."""
        return {b.name: b for b in self.study.benchmarks if domain_of(b) == "math" and is_written_out(b)}

    def regrade_jobs(self, scores: ScoreRefs) -> dict[tuple[Run, str], RegradeJob]:
        """Return what the second grader has to know of each table of scores that it can grade."""
        return {
            (run, name): RegradeJob(name=f"{run.name} on {name}", scores=ref, config=self._reading(self.regraded[name]))
            for (run, name), ref in scores.items()
            if name in self.regraded
        }

    def _reading(self, benchmark: BenchmarkConfig) -> RegradeConfig:
        """Return where a benchmark's answers are, as far as it is declared."""
        as_text = benchmark.custom and benchmark.extract == "text"
        pattern = benchmark.pattern or (_FIRST_LINE if as_text else None)
        return RegradeConfig(pattern=pattern, profile=self.study.evaluate.profile)

    def items_identity(self) -> Identity:
        """Return the identity of the benchmarks' items as texts."""
        return items_identity(self.study.benchmarks, self.study.evaluate, self.runtime.evaluate)

    @property
    def overlap(self) -> DecontaminateConfig:
        """How rows are held against benchmark items; every share that the comparison asks for is recorded."""
        usual = DecontaminateConfig()
        least = min(usual.report_ratio, *self.study.compare.overlap_ratios)
        return DecontaminateConfig(report_ratio=least)

    def overlap_identity(self, records: ArtifactRef, items: ArtifactRef) -> Identity:
        """Return the identity of what a source's records share with the benchmarks' items."""
        return overlap_identity(self.overlap, records, items)

    def comparison(
        self, models: RunRefs, scores: ScoreRefs, grades: ScoreRefs
    ) -> tuple[list[ScoredArm], list[BenchmarkFacts], str, CompareConfig]:
        """Return what `compare` has to know: every score, the benchmarks' facts, the control's name and the rule."""
        lacks = {one.source.name: one.lacks for one in self.study.leave_one_out}
        scored = [
            ScoredArm(
                arm=run.arm,
                seed=run.seed,
                benchmark=benchmark,
                scores=ref,
                anneal=models[run],
                grades=grades.get((run, benchmark)),
                lacks=lacks.get(run.arm),
            )
            for (run, benchmark), ref in scores.items()
        ]
        facts = [
            BenchmarkFacts(
                name=benchmark.name,
                domain=domain_of(benchmark),
                metric=metric_of(benchmark),
                most_items=_most_items(benchmark),
            )
            for benchmark in self.study.benchmarks
        ]
        return scored, facts, CONTROL, self.study.compare

    def score_identity(self, job: EvaluateJob) -> Identity:
        """Return the identity of a model's scores on a benchmark."""
        return identity_of(job, self.study.evaluate, self.runtime.evaluate)

    def check_repeats(self, packs: Refs) -> None:
        """Refuse candidates that would be repeated more often than the study allows, as far as `packs` says it.

        Raises:
            StudyError: naming the candidate and what would fit.
        """
        sizes = {name: read_size(self.store, pack) for name, pack in packs.items()}
        for plan, candidate in self._mixtures():
            if packs.keys() >= sized_by(plan, candidate):
                check_epochs(plan, candidate, sizes, self.study.max_epochs)

    def unsized(self, packs: Refs) -> list[str]:
        """Return the candidates of which `packs` does not say yet how often they would be repeated."""
        return [one.name for plan, one in self._mixtures() if not packs.keys() >= sized_by(plan, one)]

    def _mixtures(self) -> list[tuple[PlanConfig, CandidateShare]]:
        """Return how each candidate's arm is drawn; the seed makes no difference to how much of it is taken."""
        plans = [self.study.plan(arm, self.study.seeds[0]) for arm in self.study.arms]
        return [(plan, plan.candidate) for plan in plans if plan.candidate is not None]


def _most_items(benchmark: BenchmarkConfig) -> int | None:
    """Return how many items there are to be had; None for a file of the study's own, to which rows can be added."""
    return None if benchmark.custom else max(REGISTRY[benchmark.name].items)


def prepare(study: Study, runtime: Runtime) -> Work:
    """Return the work of a study after every check that needs no engine.

    Raises:
        StudyError: with the field's path and the remedy.
    """
    check_runtime(study, runtime)
    base = resolve(study.base, study.chat_template)
    if study.stage == "sft" and base.template_text is None:
        raise StudyError("chat_template: the base model has none, and sft needs one", remedy="declare `chat_template`")
    _check_length(study, base)
    check_allowed(study.benchmarks, study.evaluate)
    for benchmark in study.benchmarks:
        _check_benchmark(benchmark, Path(runtime.evaluate.data))
    work = Work(study, runtime, base)
    for group, listed in (("validated", study.validated), ("candidates", study.candidates)):
        for source in listed:
            _check_source(work, group, source)
    return work


def _check_source(work: Work, group: str, source: Source) -> None:
    if isinstance(source.recipe, TaughtRecipe):
        check_order(work.order(source.name, source.recipe))
    else:
        check_dataset(group, source)


def _check_length(study: Study, base: Checkpoint) -> None:
    """Refuse sequences that the base model has no positions for: it would learn on them what it can never use."""
    positions = json.loads((base.folder / "config.json").read_text(encoding="utf-8")).get("max_position_embeddings")
    if positions is not None and study.anneal.sequence_length > positions:
        raise StudyError(
            f"anneal.sequence_length: {study.anneal.sequence_length}, and the base model has {positions} positions",
            remedy=f"give {positions} or less, or a base model with a longer context",
        )


def _check_benchmark(benchmark: BenchmarkConfig, data: Path) -> None:
    try:
        data_files(benchmark, data)
        if benchmark.custom:
            read_custom(benchmark)
    except DataError as error:
        message = error.message.removeprefix(f"benchmarks.{benchmark.name}: ")
        raise StudyError(f"benchmarks.{benchmark.name}: {message}", remedy=error.remedy) from error

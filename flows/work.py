"""The work that a study declares, as identities and jobs: what `assess` runs and `outline` looks up.

Both must agree on what an artifact is, so both get it here. Nothing here starts anything.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flows.study import CONTROL, Runtime, Source, Study, check_runtime
from tasks.anneal.config import AnnealJob
from tasks.checkpoint.resolve import resolve
from tasks.compare.config import BenchmarkFacts, CompareConfig, ScoredArm
from tasks.core.checkpoint import Checkpoint
from tasks.core.errors import DataError, StudyError
from tasks.core.identity import Identity, fingerprint
from tasks.core.store import ArtifactRef, Store
from tasks.evaluate.config import BenchmarkConfig, EvaluateJob
from tasks.evaluate.drain import identity_of
from tasks.evaluate.suite import check_allowed, data_files, domain_of, metric_of
from tasks.ingest import source as ingest_source
from tasks.mix.plan import check_epochs
from tasks.mix.task import pack_identity, plan_identity, read_size, sources
from tasks.rules.task import identity as rules_identity

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
        """Return the hash that fixes what is asked: the study with files and models by content, not by place."""
        declared = self.study.model_dump(mode="json", exclude={"base", "validated", "candidates", "benchmarks"})
        weights = {source.name: source.weight for source in self.study.validated}
        benchmarks = [b.model_dump(mode="json", exclude={"file", "few_shot_file"}) for b in self.study.benchmarks]
        sources = [self.records_identity(source).key for source in self.study.sources]
        return fingerprint([declared, self.base.digest, weights, benchmarks, sources])

    def records_identity(self, source: Source) -> Identity:
        """Return the identity of a source's records."""
        if source.recipe is not None:
            return rules_identity(source.name, source.recipe)
        return ingest_source.identity(source.as_read)

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

    def comparison(
        self, models: RunRefs, scores: ScoreRefs
    ) -> tuple[list[ScoredArm], list[BenchmarkFacts], str, CompareConfig]:
        """Return what `compare` has to know: every score, the benchmarks' facts, the control's name and the rule."""
        scored = [
            ScoredArm(arm=run.arm, seed=run.seed, benchmark=benchmark, scores=ref, anneal=models[run])
            for (run, benchmark), ref in scores.items()
        ]
        facts = [
            BenchmarkFacts(name=benchmark.name, domain=domain_of(benchmark), metric=metric_of(benchmark))
            for benchmark in self.study.benchmarks
        ]
        return scored, facts, CONTROL, self.study.compare

    def score_identity(self, job: EvaluateJob) -> Identity:
        """Return the identity of a model's scores on a benchmark."""
        return identity_of(job, self.study.evaluate, self.runtime.evaluate)

    @contextmanager
    def device(self) -> Iterator[None]:
        """Hold this machine's device: one anneal or evaluation at a time, whichever study it belongs to."""
        lock = Path(tempfile.gettempdir()) / f"assay-device-{os.getuid()}.lock"
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # the kernel lets go of it when its holder dies
            yield

    def check_repeats(self, packs: Refs) -> None:
        """Refuse candidates that would be repeated more often than the study allows.

        Raises:
            StudyError: naming the candidate and what would fit.
        """
        sizes = {name: read_size(self.store, pack) for name, pack in packs.items()}
        for arm in self.study.arms:
            plan = self.study.plan(arm, self.study.seeds[0])
            if plan.candidate is not None:
                check_epochs(plan, plan.candidate, sizes, self.study.max_epochs)


def prepare(study: Study, runtime: Runtime) -> Work:
    """Return the work of a study after every check that needs no engine.

    Raises:
        StudyError: with the field's path and the remedy.
    """
    check_runtime(study, runtime)
    base = resolve(study.base, study.chat_template)
    if study.stage == "sft" and base.template_text is None:
        raise StudyError("chat_template: the base model has none, and sft needs one", remedy="declare `chat_template`")
    for group, listed in (("validated", study.validated), ("candidates", study.candidates)):
        for source in listed:
            _check_source(group, source)
    check_allowed(study.benchmarks, study.evaluate)
    for benchmark in study.benchmarks:
        _check_benchmark(benchmark, Path(runtime.evaluate.data))
    return Work(study, runtime, base)


def _check_source(group: str, source: Source) -> None:
    if source.recipe is not None:
        return
    try:
        ingest_source.columns_of(source.as_read)
    except DataError as error:
        raise StudyError(f"{group}.{source.name}: {error.message}", remedy=error.remedy) from error


def _check_benchmark(benchmark: BenchmarkConfig, data: Path) -> None:
    try:
        data_files(benchmark, data)
    except DataError as error:
        raise StudyError(error.message, remedy=error.remedy) from error

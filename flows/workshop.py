"""The steps that recipes are made of, each a cached task: read, clean, ask, judge, keep.

Every recipe that asks a model is the same shape, **prompt -> generate -> judge**, once or several times; here those
steps are put together, so that a recipe reads as the order in which it takes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from flows.caching import cached
from flows.caps import spent_on
from flows.device import device
from flows.ingesting import read_records
from flows.progress import CountProgress, GenerateProgress, JudgeProgress, say, warn_if_nearly_full
from flows.recipes import Dataset
from flows.study import Runtime
from tasks.core.store import ArtifactRef, Store
from tasks.decontaminate.artifact import identity as clean_identity
from tasks.decontaminate.config import DecontaminateConfig
from tasks.decontaminate.task import decontaminate
from tasks.dedup.artifact import identity as dedup_identity
from tasks.dedup.config import DedupConfig
from tasks.dedup.task import dedup
from tasks.generate.artifact import identity as answers_identity
from tasks.generate.artifact import teacher_digest
from tasks.generate.config import GenerateConfig
from tasks.generate.task import generate
from tasks.judge.artifact import failures_identity, keep_identity
from tasks.judge.config import JudgeConfig, KeepConfig
from tasks.judge.task import judge_answers, keep_answers, keep_failures, request_verdicts, settle_verdicts
from tasks.prompt.artifact import prompt_identity, questions_identity
from tasks.prompt.config import PromptConfig
from tasks.prompt.task import as_questions, ask


@dataclass(frozen=True)
class Workshop:
    """Where a recipe is carried out.

    Attributes:
        name: the dataset that is made, for people.
        runtime: what it runs on.
        items: the benchmark items that no row may give away (ITEMS), None where no benchmark is declared.
        beside: what the same run has made before: the caps on what it asks are over all of it.
    """

    name: str
    runtime: Runtime
    items: ArtifactRef | None
    beside: tuple[ArtifactRef, ...] = ()

    @property
    def store(self) -> Store:
        return Store(self.runtime.store)

    def read(self, dataset: Dataset) -> ArtifactRef:
        """Return a declared dataset's records."""
        return read_records(dataset, self.store)

    def clean(self, records: ArtifactRef, same: DedupConfig | None, overlap: DecontaminateConfig) -> ArtifactRef:
        """Return records without repetitions, where they are to go, and without what gives a benchmark's item away."""
        if same is not None:
            once = cached(dedup, self.store, [dedup_identity(same, [records])])
            with CountProgress("dedup", self.name, records.num_rows) as progress:
                records = once(self.name, same, [records], self.store.root, report=progress)
        if self.items is None:
            say("clean", f"[yellow]{self.name}: no benchmark is declared, so nothing was decontaminated[/]")
        return self.apart(records, overlap)

    def apart(self, records: ArtifactRef, overlap: DecontaminateConfig) -> ArtifactRef:
        """Return records without what gives a benchmark's item away; all of them where no benchmark is declared."""
        if self.items is None:
            return records
        clean = cached(decontaminate, self.store, [clean_identity(overlap, records, self.items)])
        with CountProgress("clean", self.name, records.num_rows) as progress:
            return clean(self.name, overlap, records, self.items, self.store.root, report=progress)

    def questions(self, records: ArtifactRef, *, needs_reference: bool = False) -> ArtifactRef:
        """Return what records ask (QUESTIONS); where they are to be judged by references, of those that have one."""
        read = cached(as_questions, self.store, [questions_identity(records, needs_reference)])
        return read(self.name, records, self.store.root, needs_reference)

    def answers(self, questions: ArtifactRef, prompt: PromptConfig, model: GenerateConfig) -> ArtifactRef:
        """Return what a model answers (OUTCOMES)."""
        put = cached(ask, self.store, [prompt_identity(prompt, questions)])
        requests = put(self.name, prompt, questions, self.store.root)
        return self._generated(model, requests)

    def _generated(self, model: GenerateConfig, requests: ArtifactRef) -> ArtifactRef:
        # An endpoint takes nothing of this machine's device.
        needed = (
            [answers_identity(model, requests, teacher_digest(model.model))] if model.model.engine == "vllm" else []
        )
        warn_if_nearly_full(self.store.root)
        # What this recipe has asked before lies behind its requests.
        before = spent_on(self.store, [*self.beside, requests], self.runtime.generate)
        with device(self.store, needed), GenerateProgress(self.name) as progress:
            where = (self.runtime.generate, self.store.root)
            return generate(self.name, model, requests, *where, before=before, report=progress)

    def verdicts(
        self,
        config: JudgeConfig,
        samples: int,
        answers: ArtifactRef,
        questions: ArtifactRef,
        reader: GenerateConfig | None = None,
    ) -> ArtifactRef:
        """Return which of `samples` answers a question are right (VERDICTS).

        What rules leave open is for `reader` to say, if there is one.
        """
        with JudgeProgress(self.name) as progress:
            where = (answers, questions, self.store.root)
            workers = self.runtime.judge.processes
            verdicts = judge_answers(self.name, config, *where, samples=samples, workers=workers, report=progress)
        if reader is None:
            return verdicts
        requests = request_verdicts(self.name, verdicts, answers, questions, self.store.root)
        if requests.num_rows == 0:
            return verdicts
        said = self._generated(reader, requests)
        return settle_verdicts(self.name, verdicts, said, questions, self.store.root)

    def kept(
        self,
        config: KeepConfig,
        questions: ArtifactRef,
        answers: ArtifactRef,
        verdicts: ArtifactRef,
        originals: ArtifactRef | None = None,
    ) -> ArtifactRef:
        """Return one right answer a question, as records; of `originals`, where those are asked for."""
        keep = cached(keep_answers, self.store, [keep_identity(config, questions, answers, verdicts, originals)])
        return keep(self.name, config, questions, answers, verdicts, self.store.root, originals)

    def failed(self, wrong: int, questions: ArtifactRef, verdicts: ArtifactRef) -> ArtifactRef:
        """Return the questions with `wrong` or more wrong answers, as records with their references."""
        keep = cached(keep_failures, self.store, [failures_identity(wrong, questions, verdicts)])
        return keep(self.name, wrong, questions, verdicts, self.store.root)

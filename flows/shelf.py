"""The steps of a recipe as the store has them: each is found by the ones before it, and none is taken.

It goes the ways of `Workshop`, for a plan. Where the store lacks a step, what follows it cannot be known: None in, None
out.
"""

from __future__ import annotations

from dataclasses import dataclass

from flows.datasets import records_identity
from flows.recipes import Dataset, Retrieve
from tasks.core.store import ArtifactRef, Store
from tasks.decontaminate.artifact import identity as clean_identity
from tasks.decontaminate.config import DecontaminateConfig
from tasks.dedup.artifact import identity as dedup_identity
from tasks.dedup.config import DedupConfig
from tasks.embed.artifact import embed_identity
from tasks.embed.config import EmbedConfig
from tasks.embed.encoder_files import find_encoder
from tasks.generate.artifact import identity as answers_identity
from tasks.generate.artifact import teacher_digest
from tasks.generate.config import GenerateConfig
from tasks.judge.artifact import failures_identity, requests_identity
from tasks.judge.artifact import identity as verdicts_identity
from tasks.judge.config import JudgeConfig
from tasks.prompt.artifact import new_problems_identity, prompt_identity, questions_identity
from tasks.prompt.config import PromptConfig
from tasks.retrieve.artifact import bm25_identity, dense_identity
from tasks.retrieve.config import Bm25Config

Maybe = ArtifactRef | None


@dataclass(frozen=True)
class Shelf:
    """The store, and the benchmark items (ITEMS) that no row may give away; None where they are not there yet."""

    store: Store
    items: Maybe

    def read(self, dataset: Dataset) -> Maybe:
        """Find a declared dataset's records."""
        return self.store.find(records_identity(dataset))

    def clean(self, records: Maybe, same: DedupConfig | None, overlap: DecontaminateConfig) -> Maybe:
        """Find records without repetitions, where they are to go, and without what gives a benchmark's item away."""
        if records and same is not None:
            records = self.store.find(dedup_identity(same, [records]))
        return self.store.find(clean_identity(overlap, records, self.items)) if records and self.items else None

    def questions(self, records: Maybe, *, needs_reference: bool = False) -> Maybe:
        """Find what records ask; where they are to be judged by references, of those that have one."""
        return self.store.find(questions_identity(records, needs_reference)) if records else None

    def requests(self, questions: Maybe, prompt: PromptConfig) -> Maybe:
        """Find what a model is asked about questions."""
        return self.store.find(prompt_identity(prompt, questions)) if questions else None

    def answers(self, requests: Maybe, model: GenerateConfig) -> Maybe:
        """Find what a model answered."""
        return self.store.find(answers_identity(model, requests, teacher_digest(model.model))) if requests else None

    def verdicts(self, judge: JudgeConfig, samples: int, answers: Maybe, questions: Maybe) -> Maybe:
        """Find which answers rules call right."""
        return self.store.find(verdicts_identity(judge, answers, questions, samples)) if answers and questions else None

    def left_open(self, verdicts: Maybe, answers: Maybe, questions: Maybe) -> Maybe:
        """Find what a model is asked where rules left a verdict open."""
        if not (verdicts and answers and questions):
            return None
        return self.store.find(requests_identity(verdicts, answers, questions))

    def failed(self, wrong: int, questions: Maybe, verdicts: Maybe) -> Maybe:
        """Find the questions with `wrong` or more wrong answers, as records."""
        return self.store.find(failures_identity(wrong, questions, verdicts)) if questions and verdicts else None

    def problems(self, name: str, overlap: float, questions: Maybe, written: Maybe) -> Maybe:
        """Find the new problems that a model wrote, as records."""
        if not (questions and written):
            return None
        return self.store.find(new_problems_identity(name, overlap, questions, written))

    def vectors(self, config: EmbedConfig, rows: Maybe) -> Maybe:
        """Find the vectors of a table."""
        return self.store.find(embed_identity(config, rows, find_encoder(config).digest)) if rows else None

    def retrieved(self, recipe: Retrieve, queries: Maybe, pool: dict[str, Maybe]) -> Maybe:
        """Find the nearest rows of a pool, before they are cleaned."""
        tables = {name: ref for name, ref in pool.items() if ref}
        if queries is None or len(tables) < len(pool):
            return None
        if isinstance(recipe.search, Bm25Config):
            return self.store.find(bm25_identity(recipe.search, tables, queries))
        asked = self.vectors(recipe.embed, queries)
        vectors = {name: made for name, ref in tables.items() if (made := self.vectors(recipe.embed, ref))}
        if asked is None or len(vectors) < len(tables):
            return None
        return self.store.find(dense_identity(recipe.search, tables, vectors, queries, asked))

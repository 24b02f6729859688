"""Recipes: ways of making a dataset, each a frozen value that a study's candidate or a file of its own declares.

::

    igsm, arithmetic     problems by rule (tasks.rules)
    distill              questions -> a teacher's answers -> the ones that hold up
    failures             questions that a model fails, again and again
    retrieve             the rows of a pool that are nearest to some questions
    augment              new problems like given ones, with answers on which two blind solutions agree

Everything here is identity; what a recipe runs on is the study's `Runtime`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from tasks.core.identity import Frozen
from tasks.decontaminate.config import DecontaminateConfig
from tasks.dedup.config import DedupConfig
from tasks.embed.config import EmbedConfig
from tasks.generate.config import GenerateConfig
from tasks.ingest.config import RecordField, SourceConfig
from tasks.judge.config import JudgeConfig, KeepConfig
from tasks.prompt.config import SIMILAR_TEMPLATE, PromptConfig
from tasks.retrieve.config import Bm25Config, DenseConfig
from tasks.rules.config import Drills, ProblemSet, RuleRecipe

#: Which columns hold question and reference, as their dataset cards on the hub say: facebook/natural_reasoning,
#: openai/gsm8k, EleutherAI/hendrycks_math, AI-MO/NuminaMath-1.5.
QUESTION_SETS: dict[str, dict[RecordField, str]] = {
    "natural-reasoning": {"question": "question", "reference": "reference_answer"},
    "gsm8k": {"question": "question", "reference": "answer"},
    "math": {"question": "problem", "reference": "solution"},
    "numinamath": {"question": "problem", "reference": "solution"},
}


def _answers(model: GenerateConfig) -> GenerateConfig:
    if model.sampling is None:
        raise ValueError("a recipe reads answers, and `scoring` gives none; give `sampling` instead")
    if model.model.engine == "scripted":
        raise ValueError("model.engine: `scripted` is a stand-in of unit tests; take `vllm` or `openai`")
    return model


#: A model that answers.
Answerer = Annotated[GenerateConfig, AfterValidator(_answers)]


def _check_draws(field: str, model: GenerateConfig, samples: int) -> None:
    """Refuse greedy answers to a question that is asked more than once: copies, of which one tells all."""
    if samples > 1 and model.sampling is not None and model.sampling.temperature == 0:
        raise ValueError(
            f"{field}.sampling.temperature: at 0 the {samples} answers to a question are one answer {samples} times; "
            "give a temperature above 0"
        )


def _check_majority(field: str, model: GenerateConfig, prompt: PromptConfig, judge: JudgeConfig) -> None:
    """Refuse a majority of too few answers, or of copies."""
    if judge.mode not in ("self", "both"):
        return
    if prompt.samples < judge.k:
        raise ValueError(f"prompt.samples: a majority of {judge.k} needs as many answers; give that or more")
    _check_draws(field, model, prompt.samples)


class Dataset(SourceConfig):
    """What a recipe starts from: a file, a hub dataset, or problems made by rule.

    ``preset: NAME`` fills in the columns of sets that many people use: ``natural-reasoning``, ``gsm8k``, ``math`` and
    ``numinamath``.

    Attributes:
        recipe: the rule that makes it, instead of a file or a hub dataset.
        licence: the terms that it comes under, in a word (``CC-BY-4.0``), for the reports; it changes no result.
    """

    recipe: RuleRecipe | None = None
    licence: str | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "preset" not in given:
            return given
        if (columns := QUESTION_SETS.get(given["preset"])) is None:
            raise ValueError(f"preset: there is no {given['preset']!r}; take one of {', '.join(QUESTION_SETS)}")
        rest = {name: value for name, value in given.items() if name != "preset"}
        return {**rest, "columns": {**columns, **(given.get("columns") or {})}}

    @model_validator(mode="after")
    def _one_origin(self) -> Dataset:
        if [self.file, self.hub, self.recipe].count(None) != 2:
            raise ValueError(f"{self.name}: give one of `file`, `hub` and `recipe`")
        return self._check_columns()

    @property
    def as_read(self) -> SourceConfig:
        """What `ingest` has to know of it."""
        return SourceConfig.model_validate(self.model_dump(include=set(SourceConfig.model_fields)))


class Distill(Frozen):
    """A teacher answers questions several times; of the answers that hold up, one a question is kept.

    The paper's NaturalReasoning-QwQ (arXiv:2510.07169), "following Dolphin-R1", with "instances with inconsistent
    answers" dropped; what must agree with what is left open there, and is `judge` here.

    Attributes:
        questions: with a reference each, or some, or none (then `judge.mode` must be ``self``). In mode ``reference``
            those without one are not asked.
        teacher: who answers, and how.
        prompt: how it is asked, and how often.
        judge: which answers hold up.
        reader: a language model that decides where rules cannot (proofs, long references); none by default.
        keep: which answer is kept; the paper does not say whether with its reasoning.
        originals: for ``keep: {answers: original}``, the same questions with the answers that they came with, where
            those are not the references. Questions are matched by their words.
        dedup: which questions are the same; null asks all that are not the same row word for word.
        decontaminate: which questions, and which of them with their answers, give a benchmark's item away.
    """

    kind: Literal["distill"]
    questions: Dataset
    teacher: Answerer
    prompt: PromptConfig = PromptConfig(samples=4)
    judge: JudgeConfig = JudgeConfig()
    reader: Answerer | None = None
    keep: KeepConfig = KeepConfig()
    originals: Dataset | None = None
    dedup: DedupConfig | None = DedupConfig()
    decontaminate: DecontaminateConfig = DecontaminateConfig()

    @model_validator(mode="after")
    def _can_agree(self) -> Distill:
        _check_majority("teacher", self.teacher, self.prompt, self.judge)
        if self.originals is not None and self.keep.answers == "teacher":
            raise ValueError("originals: `keep.answers` is teacher, so they are not used; leave them out")
        return self


class Failures(Frozen):
    """Questions of a training split that a model gets wrong again and again: its weaknesses.

    Attributes:
        questions: a training split, with references; those without one are not asked. A question of a declared
            benchmark among them stops the flow.
        model: who answers, and how; the study's base model, usually.
        prompt: how it is asked, and how often.
        judge: which answers are right; only ``reference`` makes sense.
        wrong: how many of a question's answers must be wrong (arXiv:2510.07169 gives no number).
        dedup: which questions are the same; null asks all that are not the same row word for word.
        decontaminate: which questions give a benchmark's item away.
    """

    kind: Literal["failures"]
    questions: Dataset
    model: Answerer
    prompt: PromptConfig = PromptConfig(samples=4)
    judge: JudgeConfig = JudgeConfig()
    wrong: int = Field(default=3, ge=1)
    dedup: DedupConfig | None = DedupConfig()
    decontaminate: DecontaminateConfig = DecontaminateConfig()

    @model_validator(mode="after")
    def _can_fail(self) -> Failures:
        if self.wrong > self.prompt.samples:
            raise ValueError(f"wrong: {self.wrong} of {self.prompt.samples} answers cannot be wrong; lower it")
        if self.judge.mode != "reference":
            raise ValueError("judge.mode: a failure is an answer that is not the reference; leave `reference`")
        _check_draws("model", self.model, self.prompt.samples)
        return self


class Retrieve(Frozen):
    """The rows of a pool that are nearest to some questions: the paper's *math-retrieval*.

    Attributes:
        queries: the questions, or the recipe that finds them. A question of a declared benchmark among them stops the
            flow.
        pool: where rows are looked for; test splits are never found.
        embed: the encoder (dense retrieval alone).
        search: ``dense`` by vectors, or ``bm25`` by words.
        dedup: which rows are the same; null keeps them all.
        decontaminate: which rows give a benchmark's item away.
    """

    kind: Literal["retrieve"]
    queries: Dataset | Failures
    pool: Annotated[tuple[Dataset, ...], Field(min_length=1)]
    embed: EmbedConfig = EmbedConfig()
    search: DenseConfig | Bm25Config = Field(default=DenseConfig(), discriminator="kind")
    dedup: DedupConfig | None = DedupConfig()
    decontaminate: DecontaminateConfig = DecontaminateConfig()

    @model_validator(mode="after")
    def _names_each_pool_once(self) -> Retrieve:
        names = [dataset.name for dataset in self.pool]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"pool: the name {twice[0]!r} is taken; each dataset needs its own")
        return self


class Augment(Frozen):
    """New problems like given ones, kept where two solutions, blind to each other, agree: *weakness-augmented*.

    Attributes:
        seeds: the given problems, or the recipe that finds them. A question of a declared benchmark among them stops
            the flow.
        writer: who writes a new problem, and how.
        similar: how it is asked for one, and how many for each seed.
        largest_overlap: the most that a new problem may have in common with its seed (Jaccard of 3-word shingles).
        solver: who solves the new problems, and how.
        prompt: how it is asked; each sample is blind to the others.
        judge: which solutions hold up.
        keep: which solution is kept.
        dedup: which problems are the same; null keeps all that are not the same word for word.
        decontaminate: which problems, and which of them with their solutions, give a benchmark's item away.
    """

    kind: Literal["augment"]
    seeds: Dataset | Failures | Retrieve
    writer: Answerer
    similar: PromptConfig = PromptConfig(template=SIMILAR_TEMPLATE)
    largest_overlap: float = Field(default=0.7, ge=0, le=1)
    solver: Answerer
    prompt: PromptConfig = PromptConfig(samples=2)
    judge: JudgeConfig = JudgeConfig(mode="self", threshold=1.0, k=2)
    keep: KeepConfig = KeepConfig()
    dedup: DedupConfig | None = DedupConfig()
    decontaminate: DecontaminateConfig = DecontaminateConfig()

    @model_validator(mode="after")
    def _can_agree(self) -> Augment:
        if self.judge.mode == "reference":
            raise ValueError("judge.mode: a new problem has no reference; give `self`")
        if self.keep.answers == "original":
            raise ValueError("keep.answers: a new problem came with no answer; leave `teacher`")
        _check_draws("writer", self.writer, self.similar.samples)
        _check_majority("solver", self.solver, self.prompt, self.judge)
        return self


TaughtRecipe = Distill | Failures | Retrieve | Augment
Recipe = Annotated[ProblemSet | Drills | Distill | Failures | Retrieve | Augment, Field(discriminator="kind")]

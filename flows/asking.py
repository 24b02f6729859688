"""How much a study's recipes still ask of models, of language models and of encoders, and of searches.

Where it is not known yet how many questions survive, it is at most so much. What the store has is not asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from flows.counting import rows_of
from flows.recipes import Augment, Dataset, Distill, Failures, Retrieve, TaughtRecipe
from flows.shelf import Maybe, Shelf
from flows.work import Work
from tasks.core.identity import fingerprint
from tasks.embed.config import EmbedConfig
from tasks.generate.config import GenerateConfig, Teacher
from tasks.prompt.config import PromptConfig
from tasks.retrieve.config import DenseConfig


@dataclass(frozen=True)
class Ask:
    """What one model is asked.

    Attributes:
        key: equal for two recipes that ask the same, and so ask it once.
        requests: at most; None where its questions cannot be counted yet.
    """

    key: str
    model: GenerateConfig
    requests: int | None


@dataclass(frozen=True)
class Reading:
    """A table that an encoder reads.

    Attributes:
        key: equal for two recipes that have the same rows read, and so read once.
        rows: at most; None where they cannot be counted yet.
    """

    key: str
    encoder: EmbedConfig
    rows: int | None


@dataclass(frozen=True)
class Search:
    """A search of a pool.

    Attributes:
        key: equal for two recipes that search the same, and so search once.
        name: the dataset that is made of what is found.
        rows, queries: of the pool, and what is looked for; at most, None where they cannot be counted yet.
    """

    key: str
    name: str
    recipe: Retrieve
    rows: int | None
    queries: int | None


@dataclass(frozen=True)
class Rows:
    """What a step gives: so many rows at most, and the rows themselves where the store has them."""

    most: int | None
    ref: Maybe

    @property
    def count(self) -> int | None:
        """How many rows there are, or at most, as far as that is known."""
        return self.ref.num_rows if self.ref else self.most


def asks(work: Work) -> list[Ask]:
    """Return what the study's recipes still ask of language models, each once."""
    return list(_left(work).asks.values())


def readings(work: Work) -> list[Reading]:
    """Return the tables that the study's recipes still have read by encoders, each once."""
    return list(_left(work).readings.values())


def searches(work: Work) -> list[Search]:
    """Return the searches that the study's recipes have still to make, each once."""
    return list(_left(work).searches.values())


def teachers(work: Work) -> list[Teacher]:
    """Return every model that is still asked on devices of one's own, once for each way in which it is loaded."""
    own = (ask.model.model for ask in asks(work) if ask.model.model.engine == "vllm")
    return list(dict.fromkeys(model.model_copy(update={"chat_template": None, "opening": ""}) for model in own))


def _left(work: Work) -> Left:
    left = Left(Shelf(work.store, work.store.find(work.items_identity())))
    for source in work.study.sources:
        if isinstance(source.recipe, TaughtRecipe) and work.store.find(work.records_identity(source)) is None:
            left.follow(source.name, source.recipe)
    return left


class Left:
    """What is left to ask, and to read, along the way of the recipes that it was told to follow."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf, self.asks, self.readings = shelf, dict[str, Ask](), dict[str, Reading]()
        self.searches = dict[str, Search]()

    def follow(self, name: str, recipe: TaughtRecipe | Dataset) -> Rows:
        """Note what a recipe asks, and return its rows; those of `Distill`, which nothing starts from, are not found.

        Args:
            name: the dataset that is made.
        """
        shelf = self.shelf
        match recipe:
            case Dataset():
                return Rows(rows_of(recipe, shelf.store), shelf.read(recipe))
            case Distill():
                asked = self._questions(recipe)
                given = _told_questions(recipe, asked)
                answers = self._ask(given, recipe.prompt, recipe.teacher, asked)
                if recipe.reader is not None:
                    self._read_verdicts([*given, recipe.teacher, recipe.judge], recipe, recipe.reader, asked, answers)
                return Rows(asked.count, None)
            case Failures():
                asked = self._questions(recipe)
                answers = self._ask(_told_questions(recipe, asked), recipe.prompt, recipe.model, asked)
                verdicts = shelf.verdicts(recipe.judge, recipe.prompt.samples, answers, asked.ref)
                return Rows(asked.count, shelf.failed(recipe.wrong, asked.ref, verdicts))
            case Retrieve():
                return self._retrieve(name, recipe)
            case Augment():
                return self._augment(name, recipe)

    def _questions(self, recipe: Distill | Failures) -> Rows:
        """Return what a model is asked, less what is dropped before."""
        read = self.follow(recipe.questions.name, recipe.questions)
        clean = self.shelf.clean(read.ref, recipe.dedup, recipe.decontaminate)
        by_reference = recipe.judge.mode == "reference"
        return Rows(read.count, self.shelf.questions(clean, needs_reference=by_reference))

    def _retrieve(self, name: str, recipe: Retrieve) -> Rows:
        queries = self.follow(name, recipe.queries)
        pool = {dataset.name: self.follow(dataset.name, dataset) for dataset in recipe.pool}
        if isinstance(recipe.search, DenseConfig):
            for declared, rows in [*zip(recipe.pool, pool.values(), strict=True), (recipe.queries, queries)]:
                self._read(declared, recipe.embed, rows)
        ref = self.shelf.retrieved(recipe, queries.ref, {table: rows.ref for table, rows in pool.items()})
        if ref is None:
            key = _told(recipe.queries, *recipe.pool, recipe.embed, recipe.search)
            self.searches[key] = Search(key, name, recipe, _sum(rows.count for rows in pool.values()), queries.count)
        found = Rows(_times(queries.count, recipe.search.select.k), ref)
        return Rows(found.count, self.shelf.clean(found.ref, recipe.dedup, recipe.decontaminate))

    def _augment(self, name: str, recipe: Augment) -> Rows:
        shelf, seeds = self.shelf, self.follow(name, recipe.seeds)
        sources = Rows(seeds.count, shelf.questions(seeds.ref))
        answers = self._ask([recipe.seeds], recipe.similar, recipe.writer, sources)
        written = Rows(_times(sources.count, recipe.similar.samples), answers)
        problems = Rows(written.count, shelf.problems(name, recipe.largest_overlap, sources.ref, written.ref))
        clean = shelf.clean(problems.ref, recipe.dedup, recipe.decontaminate)
        asked = Rows(problems.count, shelf.questions(clean))
        rules = [recipe.largest_overlap, recipe.dedup, recipe.decontaminate]
        self._ask([name, recipe.seeds, recipe.similar, recipe.writer, *rules], recipe.prompt, recipe.solver, asked)
        return Rows(asked.count, None)

    def _ask(self, given: Sequence[object], prompt: PromptConfig, model: GenerateConfig, asked: Rows) -> Maybe:
        """Note what a model is asked about questions, and return its answers where they are there."""
        requests = self.shelf.requests(asked.ref, prompt)
        answers = self.shelf.answers(requests, model)
        if answers is None:
            self._note([*given, prompt, model], model, Rows(_times(asked.count, prompt.samples), requests).count)
        return answers

    def _read_verdicts(
        self, given: Sequence[object], recipe: Distill, reader: GenerateConfig, asked: Rows, answers: Maybe
    ) -> None:
        """Note what the reader of verdicts is asked: of each answer at most once."""
        verdicts = self.shelf.verdicts(recipe.judge, recipe.prompt.samples, answers, asked.ref)
        requests = self.shelf.left_open(verdicts, answers, asked.ref)
        nothing = requests is not None and requests.num_rows == 0
        if not nothing and self.shelf.answers(requests, reader) is None:
            left = Rows(_times(asked.count, recipe.prompt.samples), requests)
            self._note([*given, recipe.prompt, reader], reader, left.count)

    def _note(self, given: Sequence[object], model: GenerateConfig, requests: int | None) -> None:
        key = _told(*given)
        self.asks[key] = Ask(key, model, requests)

    def _read(self, declared: Dataset | Failures, encoder: EmbedConfig, rows: Rows) -> None:
        if self.shelf.vectors(encoder, rows.ref) is None:
            key = _told(declared, encoder)
            self.readings[key] = Reading(key, encoder, rows.count)


def _told_questions(recipe: Distill | Failures, asked: Rows) -> list[object]:
    """Return what tells a recipe's questions from another's: they themselves, where the store has them.

    A row may lack its `reference`, and then mode `reference` asks fewer questions than the others.
    """
    if asked.ref is not None:
        return [asked.ref.digest]
    fewer = recipe.judge.mode == "reference" and "reference" in recipe.questions.columns
    return [recipe.questions, recipe.dedup, recipe.decontaminate, fewer]


def _told(*given: object) -> str:
    """Return what tells one declaration from others; as JSON, since a problem set's shares are keyed by numbers."""
    return fingerprint(
        [_unlicensed(item.model_dump(mode="json")) if isinstance(item, BaseModel) else item for item in given]
    )


def _unlicensed(value: Any) -> Any:
    """Return a declaration without its datasets' licences, however deep they lie: they change no result."""
    match value:
        case dict():
            return {name: _unlicensed(part) for name, part in value.items() if name != "licence"}
        case list():
            return [_unlicensed(part) for part in value]
        case _:
            return value


def _times(count: int | None, factor: int) -> int | None:
    return None if count is None else count * factor


def _sum(counts: Iterable[int | None]) -> int | None:
    listed = list(counts)
    known = [count for count in listed if count is not None]
    return sum(known) if len(known) == len(listed) else None

"""What the stage asks of an engine and what it gets back: plain values, the same on both sides of the process border.

A `Task` is one piece of work with everything resolved: to score a model on a benchmark, to record what the benchmark
asks it, or to list the benchmark's items. The engine runs many and hands back one result each, as soon as it is done: a
`RawResult`, which `tasks.evaluate.normalise` turns into rows, or `RawTables`, which are rows already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, TypeVar

from tasks.core.identity import Frozen

#: What a driver is to do.
Work = Literal["score", "record", "items"]


class CustomSuite(Frozen):
    """A benchmark of the study's own, made uniform: JSONL with question, options, answer, cluster.

    Attributes:
        rows: the file of its items.
        examples: the file of its few-shot examples, empty where there are none.
        few_shot: how many of them precede each question.
        labels: the options' letters, empty where the answer is to be written.
        prompt: with ``{question}`` and ``{options}``.
        extract: number, text or math.
        pattern: a regular expression for the answer, or empty.
    """

    rows: str
    examples: str
    few_shot: int
    labels: tuple[str, ...]
    prompt: str
    extract: str
    pattern: str


class Suite(Frozen):
    """A benchmark as the driver runs it.

    Attributes:
        name: its name in the rows.
        module, variable: where its OpenCompass datasets are, under ``opencompass.configs.datasets``.
        abbrs: which of them, by OpenCompass's abbreviations; subset by subset.
        items: how many items the whole of it has, any of these; empty where a limit or subsets were declared.
        limit: the first items only, over all subsets; None for all.
        max_output_tokens, stop_words: in place of OpenCompass's own; None leaves them.
        gold: the column with the gold answer's text, empty where none is one text.
        cluster: which items hang together: ``item`` none, ``subset``, ``passage``, ``question`` (circular variants) or
            ``column``.
        custom: the file of the study's own, in place of module and variable.
    """

    name: str
    module: str = ""
    variable: str = ""
    abbrs: tuple[str, ...] = ()
    items: tuple[int, ...] = ()
    limit: int | None = None
    max_output_tokens: int | None = None
    stop_words: tuple[str, ...] | None = None
    gold: str = ""
    cluster: Literal["item", "subset", "passage", "question", "column"] = "item"
    custom: CustomSuite | None = None


class Task(Frozen):
    """One piece of work of a driver.

    Attributes:
        key: the key of the artifact that it is for.
        work: ``score`` a model on a benchmark, ``record`` what the benchmark asks it, list the benchmark's ``items``.
        model, folder: what is scored, and for ``record`` where the tokenizer is. Listing ``items`` needs no model.
        engine: what answers; see `EvaluateConfig`.
        answers: the folders of the answers (OUTCOMES) that ``score`` replays with engine ``vllm``.
        out: where its raw result goes; tables go beside it.
    """

    key: str
    work: Work = "score"
    model: str = ""
    folder: str = ""
    suite: Suite
    profile: str
    dtype: str = ""
    max_context: int | None = None
    engine: str = ""
    answers: tuple[str, ...] = ()
    out: str
    batch_size: int = 1
    device: str = ""


class RawRow(Frozen):
    """One row of a dataset as the model answered it, before it is scored.

    `item` and `cluster` are its names, `prompt` the digest of the prompt as sent. `tokens` is the length of the answer.
    `bits` and `bytes` are the gold answer's under the model, null where it has none.
    """

    item: str
    cluster: str
    prompt: str
    prediction: str
    gold: str
    truncated: bool
    tokens: int
    bits: float | None
    bytes: int | None


class RawSubset(Frozen):
    """One OpenCompass dataset: its rows, and what OpenCompass's evaluator said of them.

    `details` is OpenCompass's own, in one of its shapes; `metrics` are its headline numbers, in percent.
    """

    abbr: str
    size: int
    rows: tuple[RawRow, ...]
    details: Any
    metrics: dict[str, float]


class Raw(Frozen):
    """What comes back of a task: whose it is, which versions of the engines made it, and in how many seconds."""

    key: str
    benchmark: str
    versions: dict[str, str]
    seconds: float


class RawResult(Raw):
    """One (model, benchmark), complete. `prompts_cut` prompts did not fit the context and lost their head."""

    subsets: tuple[RawSubset, ...]
    prompts_cut: int


class RawTable(Frozen):
    """One table that a driver wrote: its folder and rows. Of requests, also how they are to be answered.

    `max_output_tokens` and `stop` say how answers end; without a limit, the texts are to be scored.
    """

    folder: str
    rows: int
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()


class RawTables(Raw):
    """What was recorded or listed of one benchmark. `context` is the most tokens that the model can take."""

    tables: tuple[RawTable, ...]
    context: int = 0


Result = TypeVar("Result", bound=Raw)


class Progress(Frozen):
    """How far an evaluation is: benchmarks done of all, rows so far, rows a second, seconds left (None: not known)."""

    done: int
    total: int
    rows: int
    rows_per_second: float
    seconds_left: float | None
    current: str


class EvaluationEngine(Protocol):
    """Runs tasks; the result of each is handed to `on_done` as soon as it is complete."""

    def run(
        self,
        tasks: Sequence[Task],
        result: type[Result],
        on_done: Callable[[Task, Result], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        """Run all tasks, whose results are all of one type.

        Raises:
            EngineError: where one failed, with the log's tail.
            InfrastructureError: where a driver was killed, hung or ran out of time.
            IntegrityError: where a result is not complete or is another task's.
        """

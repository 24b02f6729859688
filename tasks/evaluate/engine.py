"""What the stage asks of an engine and what it gets back: plain values, the same on both sides of the process border.

A `Task` is one (model, benchmark) with everything resolved. The engine runs many and hands back one `RawResult` each,
as soon as it is done. `tasks.evaluate.normalise` turns that into rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from tasks.core.identity import Frozen


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
    """One (model, benchmark) to run. `key` is the key of the artifact it is for; `out` is where its raw result goes."""

    key: str
    model: str
    folder: str
    suite: Suite
    profile: str
    dtype: str
    max_context: int | None
    engine: str
    out: str
    batch_size: int
    device: str


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


class RawResult(Frozen):
    """One (model, benchmark), complete. `prompts_cut` prompts did not fit the context and lost their head."""

    key: str
    benchmark: str
    subsets: tuple[RawSubset, ...]
    versions: dict[str, str]
    seconds: float
    prompts_cut: int


class Progress(Frozen):
    """How far an evaluation is: benchmarks done of all, rows so far, rows a second, seconds left (None: not known)."""

    done: int
    total: int
    rows: int
    rows_per_second: float
    seconds_left: float | None
    current: str


class EvaluationEngine(Protocol):
    """Runs tasks; each is handed to `on_done` as soon as it is complete."""

    def run(
        self,
        tasks: Sequence[Task],
        on_done: Callable[[Task, RawResult], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        """Run all tasks.

        Raises:
            EngineError: where one failed, with the log's tail.
            InfrastructureError: where a driver was killed, hung or ran out of time.
            IntegrityError: where a result is not complete or is another task's.
        """

"""What an evaluation is: the benchmarks a study lists, how a model is asked, and (apart) on which machine.

`BenchmarkConfig` names a benchmark of the registry, or describes one of your own: a file of questions with answers
(``kind: qa``) or with options (``kind: choice``). Everything in it but the file's place is identity, and the file
counts by its content. `EvaluateConfig` is identity for all benchmarks of a study; `EvaluateRuntime` never is.
"""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from tasks.core.identity import Frozen
from tasks.core.results import Domain
from tasks.core.store import ArtifactRef
from tasks.evaluate.registry import REGISTRY

#: Raised whenever the meaning of a score changes. 2: a prompt that does not fit is cut as text; a model's own
#: repetition penalty does not count.
STAGE_VERSION = 2

#: base: few-shot prompts to a base model. chat: the model's own chat template.
Profile = Literal["base", "chat"]
#: number: the last number written. text: the same string, case and spaces apart. math: equal by math-verify.
Answer = Literal["number", "text", "math"]

_PROMPTS = {"qa": "Question: {question}\nAnswer:", "choice": "Question: {question}\n{options}\nAnswer:"}
_CUSTOM_ONLY = (
    "kind", "domain", "question", "answer", "choices", "cluster", "prompt", "few_shot", "few_shot_file", "extract",
    "pattern",
)  # fmt: skip


class BenchmarkConfig(Frozen):
    """One benchmark of a study: one of the registry by its name, or a file of your own under a name of your own.

    Attributes:
        name: ``gsm8k``, ``mmlu``, ... or the name you give your own file.
        limit: only the first items of the test split, shared evenly over the subsets; None means all of them.
        subsets: only these subsets (subjects, tasks, levels), for registry benchmarks that have them.
        max_output_tokens: the most tokens an answer may have, where the benchmark's own limit does not suit.
        stop_words: what ends an answer, in place of the benchmark's own stop words.
        file: JSONL, JSON or CSV (or .gz) with a row a question; set it, and the rest is yours to say.
        kind: ``qa`` has an answer to write, ``choice`` has options to choose from.
        domain: math, knowledge, reasoning or coding.
        question, answer, choices: the columns. `answer` of a choice is its letter, its position from 0 or its text;
            `choices` is one column with a list, or a column an option.
        cluster: a column whose equal values mark items that are not independent, such as one passage's questions.
        prompt: with ``{question}``, and ``{options}`` for a choice.
        few_shot: how many examples precede the question, taken from the head of `few_shot_file`.
        extract: how the answer is read from what the model wrote, and from the `answer` column alike.
        pattern: a regular expression that finds the answer; its last match counts, by its first group if it has one.
    """

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    limit: int | None = Field(default=None, ge=1)
    subsets: tuple[str, ...] | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    stop_words: tuple[str, ...] | None = None
    file: str | None = None
    kind: Literal["qa", "choice"] | None = None
    domain: Domain | None = None
    question: str = "question"
    answer: str = "answer"
    choices: str | tuple[str, ...] = "choices"
    cluster: str | None = None
    prompt: str | None = None
    few_shot: int = Field(default=0, ge=0)
    few_shot_file: str | None = None
    extract: Answer = "number"
    pattern: str | None = None

    @property
    def custom(self) -> bool:
        """Whether it is a file of the study's own."""
        return self.file is not None

    @property
    def template(self) -> str:
        """The prompt of a custom benchmark."""
        return self.prompt if self.prompt is not None else _PROMPTS[self.kind or "qa"]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.file is None:
            self._check_registered()
        else:
            self._check_custom()
        return self

    def _check_registered(self) -> None:
        known = REGISTRY.get(self.name)
        if known is None:
            names = ", ".join(sorted(REGISTRY))
            raise ValueError(f"unknown benchmark {self.name!r}: choose one of {names}; or set `file` to bring your own")
        defaults = type(self).model_fields
        if extra := [name for name in _CUSTOM_ONLY if getattr(self, name) != defaults[name].default]:
            raise ValueError(f"{', '.join(extra)}: only for a benchmark with a `file`; {self.name} has its own")
        if self.subsets is not None and (wrong := sorted(set(self.subsets) - set(known.subsets))):
            have = ", ".join(known.subsets) or "none"
            raise ValueError(f"subsets: {self.name} has no {', '.join(wrong)}; it has {have}")
        if self.subsets == ():
            raise ValueError("subsets: name at least one, or leave it out for all")

    def _check_custom(self) -> None:
        if self.name in REGISTRY:
            raise ValueError(f"name: {self.name!r} is a benchmark of the registry; give your file another name")
        if self.kind is None or self.domain is None:
            raise ValueError("a benchmark with a `file` needs `kind` (qa or choice) and `domain`")
        if self.subsets is not None:
            raise ValueError("subsets: a benchmark with a `file` has none")
        if (self.few_shot > 0) != (self.few_shot_file is not None):
            raise ValueError("few_shot and few_shot_file go together: set both or neither")
        if self.pattern is not None:
            _check_pattern(self.pattern)
        _check_placeholders(self.template, {"question", "options"} if self.kind == "choice" else {"question"})


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern: {pattern!r} is not a regular expression: {error}") from error


def _check_placeholders(template: str, allowed: set[str]) -> None:
    found = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    if "question" not in found or found - allowed:
        wanted = " and ".join(f"{{{name}}}" for name in sorted(allowed, reverse=True))
        raise ValueError(f"prompt: it needs {{question}} and may hold only {wanted}; write other braces twice")


class EvaluateConfig(Frozen):
    """How every model of a study is asked: identity, so two scores compare only where it is the same.

    Attributes:
        profile: ``base`` for base models, few-shot; ``chat`` for tuned ones, by their own chat template.
        dtype: what the model computes in.
        max_context: the most tokens of prompt and answer together; None means the model's own limit.
        sampling: greedy is the only one so far.
        engine: ``transformers``, or ``vllm`` to have `generate` answer. A test's stand-in is a ``file.py:Class``, so it
            can never satisfy a real key.
        allow_unsandboxed_code: HumanEval and MBPP run what the model wrote, with no sandbox. It changes no score.
    """

    profile: Profile = "base"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    max_context: int | None = Field(default=None, ge=32)
    sampling: Literal["greedy"] = "greedy"
    engine: str = Field(default="transformers", pattern=r"^(transformers|vllm|.+\.py:\w+)$")
    allow_unsandboxed_code: bool = False


class EvaluateRuntime(Frozen):
    """Where and how fast it runs. It never enters a key.

    Attributes:
        python: the interpreter of the evaluation environment; where a relative path is not there, the checkout's own.
        data: the folder that holds OpenCompass's ``data/`` folder of benchmark files.
        processes: drivers at once; each holds one model at a time.
        batch_size: sequences computed together.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.
        threads: CPU threads a driver may use; two threads in one process were slower than two processes.
        deadline: seconds after which the evaluation is given up.
        stall: seconds without any sign of life after which a driver counts as hung.
        logs: the folder of the drivers' logs; None means one in the store, gone where the evaluation ends well.
    """

    python: str = ".venv-eval/bin/python"
    data: str = "data/benchmarks"
    processes: int = Field(default=2, ge=1)
    batch_size: int = Field(default=64, ge=1)
    device: str = "auto"
    threads: int = Field(default=1, ge=1)
    deadline: float = Field(default=24 * 3600.0, gt=0)
    stall: float = Field(default=1800.0, gt=0)
    logs: str | None = None

    @property
    def interpreter(self) -> Path:
        """`python` as an absolute path, whether or not it is there."""
        given = Path(self.python).absolute()
        return given if given.exists() else Path(__file__).parents[2] / self.python


class EvaluateJob(Frozen):
    """One model to score on one benchmark.

    Attributes:
        name: the model's name in messages, such as ``control-seed1``.
        folder: a Hugging Face model folder (safetensors, tokenizer).
        digest: the digest of the artifact that holds the model.
        tokenizer, template: the digests of the tokenizer and chat template that it was trained with; a folder with
            others is refused. Empty where the caller does not know them.
        benchmark: what to score it on.
        answers: with engine ``vllm``, the model's answers (OUTCOMES) to what was recorded of the benchmark.
    """

    name: str
    folder: str
    digest: str
    tokenizer: str = ""
    template: str = ""
    benchmark: BenchmarkConfig
    answers: tuple[ArtifactRef, ...] = ()

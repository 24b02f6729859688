"""From a `Suite` to OpenCompass's dataset configurations, with the few repairs that its own scoring needs.

Repairs: HumanEval is scored here, since the package that OpenCompass calls is not on the package index and refuses to
score part of the problems; AIME 2025 is AIME 2024 with another file.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from opencompass.datasets import CustomDataset
from opencompass.datasets.base import BaseDataset
from opencompass.evaluator import MATHVerifyEvaluator
from opencompass.openicl.icl_evaluator import BaseEvaluator
from opencompass.openicl.icl_inferencer import GenInferencer, PPLInferencer
from opencompass.openicl.icl_prompt_template import PromptTemplate
from opencompass.openicl.icl_retriever import FixKRetriever, ZeroRetriever
from opencompass.utils.text_postprocessors import first_option_postprocess

from tasks.evaluate.answers import extract, same
from tasks.evaluate.engine import CustomSuite, Suite

_CHECK_SECONDS = 10


def datasets_of(suite: Suite, profile: str) -> list[dict[str, Any]]:
    """Return the OpenCompass dataset configurations of a suite, in the suite's order.

    Raises:
        LookupError: where OpenCompass has not exactly one dataset for each abbreviation.
    """
    found = [_custom(suite, suite.custom, profile)] if suite.custom else _registered(suite)
    for config in found:
        inferencer = config["infer_cfg"]["inferencer"]
        if suite.max_output_tokens is not None and inferencer["type"] is GenInferencer:
            inferencer["max_out_len"] = suite.max_output_tokens
        if suite.stop_words is not None and inferencer["type"] is GenInferencer:
            inferencer["stopping_criteria"] = list(suite.stop_words)
    return found


def _registered(suite: Suite) -> list[dict[str, Any]]:
    module = importlib.import_module(f"opencompass.configs.datasets.{suite.module}")
    configs = [_repaired(copy.deepcopy(config), suite) for config in getattr(module, suite.variable)]
    chosen = []
    for abbr in suite.abbrs:
        matching = [config for config in configs if config["abbr"] == abbr]
        if len(matching) != 1:
            raise LookupError(f"OpenCompass's {suite.module} has {len(matching)} datasets called {abbr}, not one")
        chosen.append(matching[0])
    return chosen


def _repaired(config: dict[str, Any], suite: Suite) -> dict[str, Any]:
    if suite.name == "humaneval":
        config["eval_cfg"]["evaluator"] = {"type": FunctionalCorrectness}
    if suite.name == "aime_2025":
        config.update(abbr="aime2025", type=CustomDataset, path="opencompass/aime2025")
    return config


def _custom(suite: Suite, custom: CustomSuite, profile: str) -> dict[str, Any]:
    asked = {"type": PromptTemplate, **_templates(custom, profile)["prompt"]}
    shots = {"ice_template": {"type": PromptTemplate, **_templates(custom, profile)["ice"]}} if custom.few_shot else {}
    by_letter = bool(custom.labels) and profile == "base"
    retriever: dict[str, Any] = {"type": ZeroRetriever}
    if custom.few_shot:
        retriever = {"type": FixKRetriever, "fix_id_list": list(range(custom.few_shot))}
    return {
        "abbr": suite.name,
        "type": CustomRows,
        "rows": custom.rows,
        "examples": custom.examples,
        "reader_cfg": {
            "input_columns": ["question", "options"], "output_column": "answer", "train_split": "train",
            "test_split": "test",
        },
        "infer_cfg": {
            **shots,
            "prompt_template": asked,
            "retriever": retriever,
            "inferencer": {"type": PPLInferencer} if by_letter else {"type": GenInferencer},
        },
        "eval_cfg": _custom_scoring(custom, by_letter),
    }  # fmt: skip


def _templates(custom: CustomSuite, profile: str) -> dict[str, dict[str, Any]]:
    """The prompt and the few-shot example: strings for a base model, turns of a chat for a tuned one."""
    head = {"ice_token": "</E>"} if custom.few_shot else {}
    if profile == "chat":
        turn = {"role": "HUMAN", "prompt": custom.prompt}
        begin = {"begin": ["</E>"]} if custom.few_shot else {}
        answer = {"role": "BOT", "prompt": "{answer}"}
        return {
            "prompt": {"template": {**begin, "round": [turn]}, **head},
            "ice": {"template": {"round": [turn, answer]}},
        }
    shown = custom.prompt if custom.prompt[-1:].isspace() else custom.prompt + " "
    token = "</E>" if custom.few_shot else ""
    if custom.labels:
        return {
            "prompt": {"template": {label: token + shown + label for label in custom.labels}, **head},
            "ice": {"template": {label: f"{shown}{label}\n" for label in custom.labels}},
        }
    return {"prompt": {"template": token + custom.prompt, **head}, "ice": {"template": shown + "{answer}\n"}}


def _custom_scoring(custom: CustomSuite, by_letter: bool) -> dict[str, Any]:
    if custom.labels:
        scoring: dict[str, Any] = {"evaluator": {"type": SameAnswer, "kind": "text", "pattern": ""}}
        if not by_letter:
            scoring["pred_postprocessor"] = {"type": first_option_postprocess, "options": "".join(custom.labels)}
        return scoring
    if custom.extract == "math":
        return {"evaluator": {"type": MATHVerifyEvaluator}}
    return {"evaluator": {"type": SameAnswer, "kind": custom.extract, "pattern": custom.pattern}}


class CustomRows(BaseDataset):  # type: ignore[misc]
    """The rows of a custom benchmark, and its few-shot examples as the training split."""

    @staticmethod
    def load(rows: str, examples: str) -> DatasetDict:
        """Return both splits; without examples the training split is the first row, which nothing reads."""
        test = _read(rows)
        return DatasetDict(
            test=Dataset.from_list(test), train=Dataset.from_list(_read(examples) if examples else test[:1])
        )


def _read(path: str) -> list[dict[str, Any]]:
    with Path(path).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class SameAnswer(BaseEvaluator):  # type: ignore[misc]
    """Scores a custom benchmark: the model's answer and the gold one, extracted alike, are the same."""

    def __init__(self, kind: str, pattern: str) -> None:
        super().__init__()
        self.kind, self.pattern = kind, pattern

    def score(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        """Return accuracy in percent and, an item each, what was compared."""
        details = []
        for prediction, reference in zip(predictions, references, strict=True):
            answer, gold = (extract(text, self.kind, self.pattern) for text in (prediction, reference))
            gold = gold or extract(reference, self.kind, "")  # a gold answer may stand alone, without its mark
            details.append({"pred": answer, "answer": gold, "correct": same(answer, gold, self.kind)})
        right = sum(detail["correct"] for detail in details)
        return {"accuracy": 100 * right / max(1, len(details)), "details": details}


class FunctionalCorrectness(BaseEvaluator):  # type: ignore[misc]
    """pass@1 of HumanEval: the completed program passes the problem's own tests within `_CHECK_SECONDS`.

    It runs what the model wrote, in a process of its own but with no sandbox; the study must have allowed that.
    """

    def score(self, predictions: list[str], references: list[str], test_set: Any) -> dict[str, Any]:
        """Return pass@1 in percent and whether each item passed."""
        details = []
        for prediction, reference, row in zip(predictions, references, test_set, strict=True):
            body = prediction if f"def {row['entry_point']}(" in prediction else row["prompt"] + prediction
            passed = _passes(f"{row['prompt']}\n    pass\n\n{body}\n\n{row['test']}\n\ncheck({row['entry_point']})\n")
            details.append({"task_id": reference, "pred": prediction, "is_correct": passed})
        right = sum(detail["is_correct"] for detail in details)
        return {"humaneval_pass@1": 100 * right / max(1, len(details)), "details": details}


def _passes(program: str) -> bool:
    process = subprocess.Popen(
        [sys.executable, "-I", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, env={"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        process.communicate(program.encode(), timeout=_CHECK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    finally:
        _kill_group(process.pid)
        process.wait()
    return process.returncode == 0


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # nothing was left of it

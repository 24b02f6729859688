"""From a `Suite` to OpenCompass's dataset configurations, with the few repairs that its own scoring needs.

Repairs, each found by gold answers that did not score 100:

- HumanEval is scored here: the package that OpenCompass calls is not its dependency and refuses part of the problems.
- MATH-500 and AIME: OpenCompass's math-verify reads ``\\frac43`` in an answer otherwise than in the gold one, and
  leaves out what it cannot read, so `EquivalentAnswer` reads both alike.
- GSM8K: OpenCompass reads ``1,450`` as 450, so the commas of thousands go first.
- AIME 2025 has no configuration scored by rules: it is AIME 2024's with another file.
"""

from __future__ import annotations

import copy
import importlib
import json
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from opencompass.datasets import CustomDataset
from opencompass.datasets.base import BaseDataset
from opencompass.evaluator import MATHVerifyEvaluator
from opencompass.openicl.icl_inferencer import GenInferencer, PPLInferencer
from opencompass.openicl.icl_prompt_template import PromptTemplate
from opencompass.openicl.icl_retriever import FixKRetriever, ZeroRetriever
from opencompass.utils.text_postprocessors import first_option_postprocess

from tasks.evaluate.driver.scoring import EquivalentAnswer, FunctionalCorrectness, SameAnswer, without_commas
from tasks.evaluate.engine import CustomSuite, Suite


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
    scoring = config["eval_cfg"]
    if suite.name == "humaneval":
        scoring["evaluator"] = {"type": FunctionalCorrectness}
    if suite.name == "gsm8k":
        scoring["pred_postprocessor"] = {"type": without_commas, "then": scoring["pred_postprocessor"]["type"]}
    if scoring["evaluator"]["type"] is MATHVerifyEvaluator:
        scoring["evaluator"] = {"type": EquivalentAnswer}
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
        return {"evaluator": {"type": EquivalentAnswer, "pattern": custom.pattern}}
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

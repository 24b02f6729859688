"""Asks a model one dataset, by OpenCompass's own inference: every prompt, and the gold answers' bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict
from opencompass.tasks.openicl_infer import OpenICLInferTask

from tasks.evaluate.driver.plan import Subset
from tasks.evaluate.engine import Task
from tasks.evaluate.naming import gold_answer

_EVERYTHING = 10**9  # one batch for OpenCompass: the model sorts and cuts it itself


@dataclass(frozen=True)
class Asked:
    """A dataset as one model answered it; all lists have an entry a row, in order.

    Attributes:
        setup: OpenCompass's configuration, with which it scores the answers.
        name: the model's name there.
        answers: OpenCompass's own records: prompts and predictions.
        golds: the gold answers.
        bits: their bits and bytes, None where there are none.
        truncated, tokens: see `GreedyModel`.
    """

    setup: ConfigDict
    name: str
    answers: list[dict[str, Any]]
    golds: list[str]
    bits: list[tuple[float | None, int | None]]
    truncated: list[bool]
    tokens: list[int]


def ask(task: Task, model: Any, subset: Subset, work: Path, on_rows: Callable[[int], None]) -> Asked:
    """Ask `model` all rows of a subset; `work` is OpenCompass's working folder."""
    count = len(subset.rows)
    model.begin([dict(row) for row in subset.rows], subset.labels or ("",), on_rows)
    name = f"{task.model}-{task.key[:12]}"
    setup = _setup(task, model, subset, work, name)
    OpenICLInferTask(setup).run(cur_model=model, cur_model_abbr=name)
    truncated, tokens = list(model.truncated), list(model.tokens)
    answers = _in_order(work / "predictions" / name / f"{subset.abbr}.json", count)
    golds = [gold_answer(task.suite, row, subset.chosen) for row in subset.rows]
    return Asked(
        setup=setup,
        name=name,
        answers=answers,
        golds=golds,
        bits=_bits(model, answers, golds, subset.labels),
        truncated=truncated or [False] * count,
        tokens=tokens or [0] * count,
    )


def _setup(task: Task, model: Any, subset: Subset, work: Path, name: str) -> ConfigDict:
    config = ConfigDict(subset.config)
    config["reader_cfg"] = {**config["reader_cfg"], "test_range": f"[:{len(subset.rows)}]"}
    return ConfigDict(
        models=[{"abbr": name, "type": "CausalModel", "path": task.folder, "batch_size": _EVERYTHING,
                 "max_seq_len": model.max_seq_len, "max_out_len": task.suite.max_output_tokens or 512}],
        datasets=[[config]], work_dir=str(work), eval={"runner": {"task": {"dump_details": True}}},
    )  # fmt: skip


def _in_order(path: Path, count: int) -> list[dict[str, Any]]:
    found = json.loads(path.read_text())
    if len(found) != count:
        raise ValueError(f"{path.name}: {len(found)} predictions for {count} rows")
    return [found[str(i)] for i in range(count)]


def _bits(
    model: Any, answers: list[dict[str, Any]], golds: list[str], labels: tuple[str, ...]
) -> list[tuple[float | None, int | None]]:
    pairs = [_pair(model, answer, gold, labels) for answer, gold in zip(answers, golds, strict=True)]
    found = iter(model.answer_bits([pair for pair in pairs if pair is not None]))
    bits = [None if pair is None else next(found) for pair in pairs]
    return [
        (None, None) if pair is None or b is None else (b, len(pair[1].encode()))
        for pair, b in zip(pairs, bits, strict=True)
    ]


def _pair(model: Any, answer: dict[str, Any], gold: str, labels: tuple[str, ...]) -> tuple[str, str] | None:
    """The prompt and the gold answer that follows it; None where there is no gold text."""
    if not gold:
        return None
    if labels:
        prompts = [answer[f"label: {label}"]["prompt"] for label in labels]
        shared = _common_start(prompts)
        return shared, answer[f"label: {gold}"]["prompt"][len(shared) :]
    prompt = model.sent(answer["origin_prompt"])
    gap = "" if model.chat or prompt[-1:].isspace() else " "
    return prompt, gap + gold


def _common_start(texts: list[str]) -> str:
    first, last = min(texts), max(texts)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]

"""Files as the tools write them: OpenCompass 0.5.4 (with details), lm-evaluation-harness 0.4.9 and later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.comparing import catalogue
from tasks.harness.answers import Notes

DATE = "2026-10-01T13-21-10.261566"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def sample(doc_id: int, scores: dict[str, Any], kind: str = "none", **changes: Any) -> dict[str, Any]:
    """One line of samples_<task>_<date>.jsonl, its fields in the harness's order."""
    question = f"What is {doc_id} plus {doc_id}?"
    row = {
        "doc_id": doc_id,
        "doc": {"question": question, "answer": f"#### {2 * doc_id}"},
        "target": f"#### {2 * doc_id}",
        "arguments": {"gen_args_0": {"arg_0": f"Question: {question}\nAnswer:", "arg_1": {"until": ["Question:"]}}},
        "resps": [["The answer is 4."]],
        "filtered_resps": ["4"],
        "filter": kind,
        "metrics": list(scores),
        "doc_hash": sha(question),
        "prompt_hash": sha(f"Question: {question}"),
        "target_hash": sha(str(doc_id)),
        **scores,
    }
    return row | changes


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=4, ensure_ascii=False))
    return path


def gsm8k_result(correct: Sequence[bool]) -> dict[str, Any]:
    """results/<model>/gsm8k.json: every value of a detail in a list, one element a run (icl_base_evaluator)."""
    details = [
        {"example_abbr": f"gsm8k_{i}", "pred": ["4"], "answer": [str(i)], "correct": [one]}
        for i, one in enumerate(correct)
    ]
    return {"accuracy": 100 * sum(correct) / len(correct), "details": details}


def gsm8k_predictions(count: int) -> dict[str, Any]:
    """predictions/<model>/gsm8k.json of a chat model (GenInferencer)."""
    return {
        str(i): {
            "origin_prompt": [{"role": "HUMAN", "prompt": f"Question: what is {i}?"}],
            "prediction": "The answer is 4.",
            "gold": str(i),
        }
        for i in range(count)
    }


@pytest.fixture
def make():
    return SimpleNamespace(
        sample=sample, sha=sha, lines=write_lines, json=write_json, gsm8k_result=gsm8k_result, date=DATE
    )


@pytest.fixture
def known():
    return catalogue()


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def opencompass(tmp_path):
    """outputs/default/<time> of one model on gsm8k."""

    def build(correct: Sequence[bool], name: str = "run", predictions: bool = True) -> Path:
        run = tmp_path / name / "20261001_120000"
        write_json(run / "results" / "model-a" / "gsm8k.json", gsm8k_result(correct))
        if predictions:
            write_json(run / "predictions" / "model-a" / "gsm8k.json", gsm8k_predictions(len(correct)))
        (run / "configs").mkdir()
        (run / "summary").mkdir()
        return tmp_path / name

    return build


@pytest.fixture
def samples(tmp_path):
    """<output>/<model> with the log of one task."""

    def build(task: str, rows: Sequence[dict[str, Any]], name: str = "out", date: str = DATE) -> Path:
        folder = tmp_path / name / "org__model"
        write_lines(folder / f"samples_{task}_{date}.jsonl", rows)
        write_json(folder / f"results_{date}.json", {"results": {task: {"alias": task}}, "model_name": "org/model"})
        return tmp_path / name

    return build

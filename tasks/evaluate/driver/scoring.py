"""The scoring that the project does itself, as OpenCompass evaluators."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from math_verify import (
    ExprExtractionConfig,
    LatexExtractionConfig,
    parse,
    verify,
)
from opencompass.openicl.icl_evaluator import BaseEvaluator

from tasks.evaluate.answers import extract, same

_CHECK_SECONDS = 10
_LATEX = [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()]


def without_commas(text: str, then: Callable[[str], str]) -> str:
    """Apply OpenCompass's postprocessor `then` to a text with the commas of thousands taken out of its numbers."""
    return then(re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text))


class EquivalentAnswer(BaseEvaluator):  # type: ignore[misc]
    """Scores mathematics: by math-verify, the model's last answer (a boxed one first) equals the gold one.

    With a pattern, both are looked for where it matches. Source: huggingface/Math-Verify; gold comes first,
    since `verify` is not symmetric.
    """

    def __init__(self, pattern: str = "") -> None:
        super().__init__()
        self.pattern = pattern

    def score(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        """Return accuracy in percent and, an item each, what was compared."""
        details: list[dict[str, Any]] = []
        for prediction, reference in zip(predictions, references, strict=True):
            gold_text = extract(reference, "math", self.pattern) or reference
            answer = parse(extract(prediction, "math", self.pattern), extraction_config=_LATEX)
            shown = gold_text if "$" in gold_text or "boxed" in gold_text else f"${gold_text}$"
            gold = parse(shown, extraction_config=_LATEX)
            right = bool(verify(gold, answer)) if gold else gold_text.strip() in prediction
            details.append({"pred": str(answer), "answer": str(gold), "correct": right})
        return _scored("accuracy", details, "correct")


class SameAnswer(BaseEvaluator):  # type: ignore[misc]
    """Scores a custom benchmark: the model's answer and the gold one, extracted alike, are the same."""

    def __init__(self, kind: str, pattern: str) -> None:
        super().__init__()
        self.kind, self.pattern = kind, pattern

    def score(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        """Return accuracy in percent and, an item each, what was compared."""
        details: list[dict[str, Any]] = []
        for prediction, reference in zip(predictions, references, strict=True):
            answer, gold = (extract(text, self.kind, self.pattern) for text in (prediction, reference))
            gold = gold or extract(reference, self.kind, "")  # a gold answer may stand alone, without its mark
            details.append({"pred": answer, "answer": gold, "correct": same(answer, gold, self.kind)})
        return _scored("accuracy", details, "correct")


class FunctionalCorrectness(BaseEvaluator):  # type: ignore[misc]
    """pass@1 of HumanEval: the completed program passes the problem's own tests within `_CHECK_SECONDS`.

    It runs what the model wrote, in a process of its own but with no sandbox; the study must have allowed that.
    """

    def score(self, predictions: list[str], references: list[str], test_set: Any) -> dict[str, Any]:
        """Return pass@1 in percent and whether each item passed."""
        details: list[dict[str, Any]] = []
        for prediction, reference, row in zip(predictions, references, test_set, strict=True):
            body = prediction if f"def {row['entry_point']}(" in prediction else row["prompt"] + prediction
            passed = _passes(f"{row['prompt']}\n    pass\n\n{body}\n\n{row['test']}\n\ncheck({row['entry_point']})\n")
            details.append({"task_id": reference, "pred": prediction, "is_correct": passed})
        return _scored("humaneval_pass@1", details, "is_correct")


def _scored(metric: str, details: list[dict[str, Any]], right: str) -> dict[str, Any]:
    return {metric: 100 * sum(bool(detail[right]) for detail in details) / max(1, len(details)), "details": details}


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

"""What OpenCompass's details say of each item, in any of their shapes. Pure.

Details are a list or a dict keyed by position (with a ``type`` beside the positions); an item says ``correct``,
``is_correct``, ``cascade_correct`` or nothing but its prediction and reference; values may sit in lists, one element a
run of the benchmark. Source: OpenCompass 0.5.4, ``icl_base_evaluator.evaluate`` and ``openicl_eval.format_details``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tasks.core.errors import IntegrityError

#: The metrics that are a plain mean over a benchmark's items, the first that is there.
HEADLINES = ("perf_4", "accuracy", "score", "humaneval_pass@1")

_REPORT = "report it with OpenCompass's version"
_CIRCULAR = re.compile(r"(\d+)--([A-Z])--[A-Z]+")


def outcomes(details: Any) -> list[float]:
    """Return each item's score, 0 to 1 and in order, from OpenCompass's details in any shape.

    Raises:
        IntegrityError: where an item says nothing that can be read as a score, or a position is missing.
    """
    return [outcome(detail) for detail in in_order(details)]


def in_order(details: Any) -> list[Any]:
    """Return the details as a list, an item each.

    Raises:
        IntegrityError: where there are none, or a position is missing.
    """
    if isinstance(details, dict):
        keyed = {key: value for key, value in details.items() if key != "type"}
        if set(keyed) != {str(i) for i in range(len(keyed))}:
            raise IntegrityError("OpenCompass's details have gaps", remedy="run the evaluation again")
        return [keyed[str(i)] for i in range(len(keyed))]
    if not isinstance(details, list):
        raise IntegrityError(
            "OpenCompass gave no details of its scores", remedy="read the evaluation's log: its scoring failed"
        )
    return details


def outcome(detail: Any) -> float:
    """Return the score of one item, 0 to 1; of several runs, their mean.

    Raises:
        IntegrityError: where it says nothing that can be read as a score.
    """
    if not isinstance(detail, dict):
        raise IntegrityError(f"OpenCompass's detail {detail!r} is no score", remedy=_REPORT)
    references = single(detail.get("references"))
    circular = circular_question(references)
    if circular:  # its own `correct` compares a letter with "0--B--BCDA"
        return float(single(detail.get("predictions")) == circular[1])
    for name in ("correct", "is_correct", "cascade_correct"):
        said = detail.get(name)
        runs: list[Any] = said if isinstance(said, list) and said else [said]
        if all(isinstance(one, bool | int | float) for one in runs):
            return float(sum(runs)) / len(runs)
    if references is not None and "predictions" in detail:
        return float(str(single(detail["predictions"])) == str(references))
    raise IntegrityError(f"OpenCompass's detail {detail!r} holds no score", remedy=_REPORT)


def circular_question(reference: Any) -> tuple[str, str] | None:
    """Return the question's number and the gold letter of MathBench's ``3--B--BCDA``; None for anything else."""
    found = _CIRCULAR.fullmatch(reference) if isinstance(reference, str) else None
    return (found[1], found[2]) if found else None


def headline(metrics: Mapping[str, Any]) -> float | None:
    """Return the metric that is the mean over the items, in percent; None where none of `HEADLINES` is there."""
    return next((metrics[name] for name in HEADLINES if isinstance(metrics.get(name), int | float)), None)


def single(value: Any) -> Any:
    """Return the value, or the one element of a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value

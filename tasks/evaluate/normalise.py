"""From what OpenCompass says of a benchmark, in any of its shapes, to rows of `SCORES`. Pure.

OpenCompass's details have many shapes (`core.details` reads them all), and items that it could not judge are left out.
What matters is that every item that was asked is scored, once, and that the scores' mean is OpenCompass's own number.

MathBench asks each multiple-choice question in four circular variants, and only all four right count: the four become
one item here, with their bits added.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from tasks.core.details import headline, outcomes
from tasks.core.errors import IntegrityError
from tasks.core.identity import fingerprint
from tasks.evaluate.engine import RawResult, RawRow, RawSubset, Suite

_VARIANTS = 4


def normalise(raw: RawResult, suite: Suite) -> list[dict[str, Any]]:
    """Return the rows of `SCORES` of one (model, benchmark), in the benchmark's order.

    Raises:
        IntegrityError: where it is another benchmark's, an item is missing or doubled, or the scores do not have
            OpenCompass's own mean.
    """
    found = [subset.abbr for subset in raw.subsets]
    if raw.benchmark != suite.name or not found or found != [abbr for abbr in suite.abbrs if abbr in found]:
        raise _broken(suite, f"the result holds {raw.benchmark}: {', '.join(found) or 'nothing'}")
    if suite.limit is None and len(found) != len(suite.abbrs):
        raise _broken(suite, f"the result holds {len(found)} of {len(suite.abbrs)} subsets")
    rows = [row for subset in raw.subsets for row in _subset(subset, suite)]
    if len({row["item"] for row in rows}) != len(rows):
        raise _broken(suite, "items have the same name")
    if (suite.items and len(rows) not in suite.items) or (suite.limit is not None and len(rows) > suite.limit):
        raise _broken(suite, f"{len(rows)} items were scored")
    return rows


def accuracy(rows: Sequence[dict[str, Any]]) -> float:
    """Return the mean of `correct`, in percent."""
    return 100.0 * float(sum(row["correct"] for row in rows)) / len(rows)


def _subset(subset: RawSubset, suite: Suite) -> list[dict[str, Any]]:
    if len(subset.rows) != subset.size:
        raise _broken(suite, f"{subset.abbr}: {len(subset.rows)} answers for {subset.size} items")
    correct = outcomes(subset.details)
    if len(correct) != subset.size:
        raise _broken(suite, f"{subset.abbr}: {len(correct)} scores for {subset.size} items")
    rows = [_row(row, c, suite) for row, c in zip(subset.rows, correct, strict=True)]
    if suite.cluster == "question" and any(row.cluster for row in subset.rows):
        rows = _folded(rows, suite, subset.abbr)
    _check_mean(rows, subset, suite)
    return rows


def _row(row: RawRow, correct: float, suite: Suite) -> dict[str, Any]:
    return {
        "benchmark": suite.name,
        "item": row.item,
        "cluster": row.cluster or row.item,
        "correct": correct,
        "truncated": row.truncated,
        "bits": row.bits,
        "bytes": row.bytes,
        "prompt": row.prompt,
        "prediction": row.prediction,
        "gold": row.gold,
    }


def _folded(rows: list[dict[str, Any]], suite: Suite, abbr: str) -> list[dict[str, Any]]:
    folded = []
    for name, group in groupby(rows, key=lambda row: row["cluster"]):
        variants = list(group)
        if len(variants) != _VARIANTS:
            raise _broken(suite, f"{abbr}: question {name} has {len(variants)} of its {_VARIANTS} variants")
        whole = all(row["bits"] is not None for row in variants)
        folded.append(
            variants[0]
            | {
                "correct": float(all(row["correct"] == 1 for row in variants)),
                "truncated": any(row["truncated"] for row in variants),
                "bits": sum(row["bits"] for row in variants) if whole else None,
                "bytes": sum(row["bytes"] for row in variants) if whole else None,
                "prompt": fingerprint([row["prompt"] for row in variants]),
                "prediction": " | ".join(row["prediction"] for row in variants),
                "gold": " | ".join(row["gold"] for row in variants),
            }
        )
    return folded


def _check_mean(rows: list[dict[str, Any]], subset: RawSubset, suite: Suite) -> None:
    said = headline(subset.metrics)
    if said is None or abs(said - accuracy(rows)) > 1e-6:
        own = subset.metrics if said is None else said
        raise _broken(suite, f"{subset.abbr}: its items average {accuracy(rows):.4f}, OpenCompass says {own}")


def _broken(suite: Suite, what: str) -> IntegrityError:
    return IntegrityError(f"{suite.name}: {what}", remedy="run the evaluation again; nothing was published")

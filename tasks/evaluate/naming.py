"""What an item is called, which items hang together, and what the right answer says: from a row of a dataset. Pure.

The scores, the recorded requests and the items' texts all name an item by these, so they can be put side by side.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from tasks.evaluate.engine import Suite

_BOOKKEEPING = ("subdivision", "idx")
_CIRCULAR = re.compile(r"(\d+)--([A-D])--[A-D]{4}")


def digest(value: Any) -> str:
    """Return the SHA-256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()


def item_name(abbr: str, index: int, row: Mapping[str, Any]) -> str:
    """Return an item's name: its dataset, its place there and a digest of what it says."""
    content = {name: row[name] for name in sorted(row) if name not in _BOOKKEEPING}
    return f"{abbr}/{index}-{digest(content)[:12]}"


def cluster_name(suite: Suite, abbr: str, row: Mapping[str, Any]) -> str:
    """Return the name of an item's cluster; empty where the item is its own."""
    if suite.cluster == "subset":
        return abbr
    if suite.cluster == "passage":
        passage = str(row["prompt"]).rpartition("Question:")[0] or str(row["prompt"])
        return f"passage-{digest(passage)[:12]}"
    if suite.cluster == "question" and "--" in str(row["answer"]):
        return f"{abbr}/{str(row['answer']).partition('--')[0]}"
    if suite.cluster == "column":
        return str(row["cluster"])
    return ""


def gold_answer(suite: Suite, row: Mapping[str, Any], chosen: str = "") -> str:
    """Return the gold answer's text as the model would write it, empty where there is none.

    `chosen` is the column of the gold option, where the model chooses one of several.
    """
    if chosen:
        return _letter(str(row[chosen]))
    column = "answer" if suite.custom else suite.gold
    value = row[column] if column else ""
    if suite.cluster == "passage":
        value = str(value).split("|")[0]  # the first of DROP's accepted answers
    return _letter(str(value)) if suite.cluster == "question" else str(value)


def _letter(gold: str) -> str:
    """``3--B--BCDA`` is MathBench's way to say: question 3, gold B, options in the order BCDA."""
    circular = _CIRCULAR.fullmatch(gold)
    return circular.group(2) if circular else gold

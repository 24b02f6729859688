"""The rows that every engine writes: drops, and the meters of what was answered."""

from __future__ import annotations

from tasks.generate.engine import Meters
from tasks.generate.shards import Row


def drop(row: Row, reason: str, detail: str) -> Row:
    """Return what becomes of a request that is not answered (ANSWERS)."""
    return {
        "position": row["position"], "row_id": row["row_id"], "sample": row["sample"], "reason": reason,
        "detail": detail,
    }  # fmt: skip


def meters_of(answers: list[Row], seconds: float) -> Meters:
    """Return what these answers took, in `seconds` of the engine's time."""
    made = [row for row in answers if row.get("reason") is None]
    return Meters(
        rows=len(made),
        dropped=len(answers) - len(made),
        prompt_tokens=sum(row["prompt_tokens"] for row in made),
        output_tokens=sum(row["output_tokens"] for row in made),
        cut=sum(row["finish"] == "length" for row in made),
        seconds=seconds,
    )

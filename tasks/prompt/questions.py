"""Records as questions: what was asked, and the answer that came with it as the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.core.rows import Row


class NoQuestion(Exception):  # noqa: N818 - not an error: the row is dropped on the record
    """A record that asks nothing, or nothing new; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def to_question(record: Mapping[str, Any]) -> Row:
    """Return the question (a row of the QUESTIONS table) of a record, under the record's own id.

    Raises:
        NoQuestion: for a document, and for a chat of several turns, whose last question needs those before it.
    """
    if not record["messages"]:
        raise NoQuestion("a document, not a question")
    turns = {role: [m["content"] for m in record["messages"] if m["role"] == role] for role in ("user", "assistant")}
    if len(turns["user"]) != 1 or len(turns["assistant"]) > 1:
        raise NoQuestion("a chat of several turns")
    return {
        "row_id": record["row_id"],
        "source": record["source"],
        "origin": record["origin"],
        "question": turns["user"][0],
        "reference": next(iter(turns["assistant"]), None),
    }

"""The part of a record that is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.dedup.config import Key


def key_text(record: Mapping[str, Any], key: Key) -> str:
    """Return the text of a record (a row of RECORDS) that is compared with other records'.

    System messages are left out: many rows share one, and it would make them alike. Where no user asks anything, the
    question is all there is.
    """
    if record["text"] is not None:
        return str(record["text"])
    asked = [m["content"] for m in record["messages"] if m["role"] == "user"] if key == "question" else []
    return "\n".join(asked or [m["content"] for m in record["messages"] if m["role"] != "system"])

"""What a row asks: the text by which rows are embedded, searched and told apart.

Questions are looked for among records of several shapes. Comparing a question with another's *question*, not with its
answer behind it, keeps a long worked answer from drowning what was asked (encoders read the first 512 tokens).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def asked(row: Mapping[str, Any]) -> str:
    """Return what a row asks: the question of QUESTIONS; of RECORDS the user's turns of a chat, else the text.

    A chat without a user's turn asks all that it says.
    """
    if (question := row.get("question")) is not None:
        return str(question)
    if not (messages := row.get("messages")):
        return row.get("text") or ""
    turns = [message["content"] for message in messages if message["role"] == "user"]
    return "\n".join(turns or [message["content"] for message in messages])

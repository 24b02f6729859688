"""How a request and its answer find each other: by what is asked, so an answer can never be another request's. Pure."""

from __future__ import annotations

from typing import NamedTuple

from tasks.core.identity import fingerprint


class Ending(NamedTuple):
    """How an answer ends: after so many tokens, or at one of these words."""

    limit: int
    stop: tuple[str, ...]


def request_id(text: str, ending: Ending | None) -> str:
    """Return the row id of a request to answer `text`, or, without an ending, to score it."""
    return fingerprint([text, list(ending) if ending else None])[:32]

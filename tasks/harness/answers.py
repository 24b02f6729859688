"""One item as one model answered it, from whatever file it was read, and how a file that cannot be used is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tasks.core.errors import DataError
from tasks.core.results import Domain

#: The formats that are read: OpenCompass's results with details, the sample logs of EleutherAI's
#: lm-evaluation-harness, and JSON Lines of ``{benchmark, item, correct}``.
Format = Literal["OpenCompass", "lm-evaluation-harness", "JSON Lines"]


class Answer(NamedTuple):
    """One item as one model answered it.

    Attributes:
        item: names the item in every model's answers.
        correct: 0 to 1.
        metric: what `correct` is.
        origin: where it was read, ``file:line`` or a place within the file.
        seed: None where the file does not say.
        cluster: items of one cluster are not independent; None where the item is its own.
        domain: None where neither the file nor the catalogue knows.
        prompt: a digest of what was asked; None where the file does not say.
    """

    benchmark: str
    item: str
    correct: float
    metric: str
    origin: str
    seed: int | None = None
    cluster: str | None = None
    domain: Domain | None = None
    prompt: str | None = None


class LeftOut(NamedTuple):
    """A task, of a benchmark, that does not say which answers are right, and why in words."""

    benchmark: str
    why: str


class Notes:
    """The choices that were made in reading, in words, each once and in order."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def add(self, text: str) -> None:
        """Take a note, so that it can be printed: half of a surrogate pair is written out."""
        self._said[text.encode(errors="backslashreplace").decode()] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._said)


class Reading(NamedTuple):
    """Everything that was read at one path, of which files, and the tasks there that cannot be scored."""

    path: Path
    format: Format
    files: tuple[Path, ...]
    answers: tuple[Answer, ...]
    left_out: tuple[LeftOut, ...] = ()


def is_share(value: Any) -> bool:
    """Whether a value is a score between 0 and 1, or true or false."""
    return isinstance(value, bool | int | float) and 0 <= value <= 1


def share_of_one(value: Any, field: str, origin: str) -> float:
    """Return a score between 0 and 1; true is 1, false 0.

    Raises:
        DataError: for anything else, naming where it was read.
    """
    if is_share(value):
        return float(value)
    what = "" if isinstance(value, bool | int | float) else f", a {type(value).__name__}"
    raise DataError(
        f"{origin}: {field} is {value!r}{what}", remedy=f"make {field} a number from 0 to 1, or true or false"
    )

"""The paths of a command line as the arms of a comparison, and their names. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from tasks.core.errors import StudyError

Paths = tuple[Path, ...]

_MARKS = "/-_."
_WORDS = re.compile(r"([/\-_.])")


def arms(controls: Sequence[Path], candidates: Sequence[Path]) -> dict[str, Paths]:
    """Return the paths of each arm by its name, the control first.

    As many paths as the control has make one candidate, in order: with the controls A1 and A2, the candidates B1, B2,
    C1, C2 are two, and B2 and C2 are paired with A2.

    Raises:
        StudyError: if the candidates' paths cannot be shared out so, or a path is there twice.
    """
    seeds = len(controls)
    if not seeds or not candidates or len(candidates) % seeds:
        raise StudyError(
            f"--candidate: {len(candidates)} paths for {seeds} of --control",
            remedy="give each candidate as many paths as the control, one a seed, in the same order",
        )
    groups = [tuple(controls), *(tuple(candidates[k : k + seeds]) for k in range(0, len(candidates), seeds))]
    everything = [os.path.realpath(path) for group in groups for path in group]
    if twice := [path for path in everything if everything.count(path) > 1]:
        raise StudyError(f"{twice[0]} is named twice", remedy="name each result once")
    return dict(zip(_names(groups), groups, strict=True))


def _names(groups: Sequence[Paths]) -> list[str]:
    """Return names that differ: the last words that an arm's paths share, or its first path below what all share."""
    names = [_shared_words(group) for group in groups]
    if len(set(names)) == len(names) and all(names):
        return names
    root = Path(os.path.commonpath([path.absolute().parent for group in groups for path in group]))
    return [str(group[0].absolute().relative_to(root)) for group in groups]


def _shared_words(group: Paths) -> str:
    """Return the folder or file that an arm's paths share, cut where a word ends: ``base`` of base-1 and base-2."""
    split = [_WORDS.split(str(_bare(path.absolute()))) for path in group]
    shared = [words[0] for words in takewhile(lambda words: len(set(words)) == 1, zip(*split, strict=False))]
    return Path("".join(shared).rstrip(_MARKS)).name


def _bare(path: Path) -> Path:
    """Return a path without the endings that say a file's format."""
    while path.suffix in (".gz", ".zst", ".jsonl", ".ndjson", ".json"):
        path = path.with_suffix("")
    return path

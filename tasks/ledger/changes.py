"""Which items a candidate fixed and which it broke, paired by item and seed.

An item's *change* is the mean over seeds of the candidate's `correct` less the control's. It is *fixed* where that is
above one half and *broken* where it is below minus one half: with three seeds, at least two of them agree and none of
them says the opposite. A single flip of one seed is what training does by itself, and counts for nothing.

Items that the control always fails can only be fixed, and those that it always gets right only be broken, so the groups
of difficulty are to be read across candidates: a candidate that changed nothing fixes some hard items too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.core.errors import IntegrityError
from tasks.core.ledgers import Change, ChangeCount, Difficulty

Floats = NDArray[np.float64]

#: What an item's name ends in where Assay named it: its place and a digest of what it says.
_PLACE = re.compile(r"(.+)/\d+-[0-9a-f]{12}")
#: A mean change has to pass this, so that more than half of the seeds speak for it.
_HALF = 0.5 + 1e-9


@dataclass(frozen=True)
class Paired:
    """One benchmark's items in both arms, in the same order.

    Attributes:
        items: their names; `topics` what each is about; `levels` how hard its benchmark says it is, empty where it
            does not.
        control, candidate: `correct`, shape (seeds, items), 0 to 1.
    """

    benchmark: str
    items: tuple[str, ...]
    topics: tuple[str, ...]
    levels: tuple[str, ...]
    control: Floats
    candidate: Floats

    @property
    def change(self) -> Floats:
        """The mean over seeds of candidate less control, shape (items,), -1 to 1."""
        return np.asarray((self.candidate - self.control).mean(axis=0))

    @property
    def difficulty(self) -> list[Difficulty]:
        """How often the control gets each item right."""
        share = self.control.mean(axis=0)
        return ["never" if one <= 0 else "always" if one >= 1 else "sometimes" for one in share.tolist()]


Column = tuple[Sequence[str], Floats]
#: By item: what its benchmark says it is about, and how hard it is; None where it does not say.
Labels = Mapping[str, tuple[str | None, str | None]]


def paired(
    benchmark: str, control: Sequence[Column], candidate: Sequence[Column], labels: Labels | None = None
) -> Paired:
    """Return a benchmark's items side by side; each table is (items, correct), one a seed, in any order of items.

    An item's topic is the one of its label, else the one that its name tells.

    Raises:
        IntegrityError: if two tables are of other items.
    """
    names, ordered = None, []
    for items, correct in (*control, *candidate):
        order = np.argsort(np.asarray(items, dtype=object), kind="stable")
        own = tuple(items[place] for place in order)
        if names is not None and own != names:
            raise IntegrityError(
                f"the scores of {benchmark} are of other items in one arm", remedy="run the study again: `compare` says"
            )
        names = own
        ordered.append(correct[order])
    names = names or ()
    both = np.stack(ordered).reshape(2, len(control), -1)
    said = [(labels or {}).get(name, (None, None)) for name in names]
    about = tuple(topic or named for (topic, _), named in zip(said, topics(benchmark, names), strict=True))
    return Paired(benchmark, names, about, tuple(level or "" for _, level in said), both[0], both[1])


def topics(benchmark: str, items: Sequence[str]) -> tuple[str, ...]:
    """Return what each item is about: the subset that its name carries, less what all names share, else the benchmark.

    ``lukaemon_mmlu_college_biology/12-0f…`` of ``mmlu`` is about ``college_biology``.
    """
    found = [_PLACE.fullmatch(item) for item in items]
    names = {match[1] for match in found if match}
    if len(names) < 2 or not all(found):
        return (benchmark,) * len(items)
    shared = _shared_head(names)
    return tuple(match[1][shared:] for match in found if match)


def _shared_head(names: Iterable[str]) -> int:
    """Return how many characters all names have in common, up to a border between words and never a whole name."""
    first, last = min(names), max(names)
    shared = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return max((first.rfind(border, 0, shared) + 1 for border in "_-/ "), default=0)


def kinds(change: Floats) -> list[Change | None]:
    """Return for each item whether it was fixed, broken, or neither."""
    return ["fixed" if one > _HALF else "broken" if one < -_HALF else None for one in change.tolist()]


def by_topic(pairs: Sequence[Paired]) -> list[ChangeCount]:
    """Return the counts of every topic in which something changed, the most changed first."""
    counts = _counted(pairs, lambda pair: pair.topics)
    changed = [one for one in counts if one.fixed or one.broken]
    return sorted(changed, key=lambda one: (-(one.fixed + one.broken), one.benchmark, one.group))


def by_level(pairs: Sequence[Paired]) -> list[ChangeCount]:
    """Return the counts of every level in which something changed, benchmarks in their order."""
    benchmarks = [pair.benchmark for pair in pairs]
    counts = _counted(pairs, lambda pair: pair.levels)
    changed = [one for one in counts if one.group and (one.fixed or one.broken)]
    return sorted(changed, key=lambda one: (benchmarks.index(one.benchmark), one.group))


def by_difficulty(pairs: Sequence[Paired]) -> list[ChangeCount]:
    """Return the counts of every benchmark and difficulty, in the order never, sometimes, always."""
    order = ("never", "sometimes", "always")
    counts = _counted(pairs, lambda pair: pair.difficulty)
    benchmarks = [pair.benchmark for pair in pairs]
    return sorted(counts, key=lambda one: (benchmarks.index(one.benchmark), order.index(one.group)))


def _counted(pairs: Sequence[Paired], grouped: Callable[[Paired], Sequence[str]]) -> list[ChangeCount]:
    counts = defaultdict[tuple[str, str], list[int]](lambda: [0, 0, 0])
    for pair in pairs:
        for group, kind in zip(grouped(pair), kinds(pair.change), strict=True):
            count = counts[pair.benchmark, group]
            count[0] += 1
            count[1] += kind == "fixed"
            count[2] += kind == "broken"
    return [
        ChangeCount(benchmark=benchmark, group=group, items=items, fixed=fixed, broken=broken)
        for (benchmark, group), (items, fixed, broken) in counts.items()
    ]

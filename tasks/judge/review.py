"""How good the filter is, from a sample that a person labelled: precision and recall, with their intervals.

The sample is drawn from each verdict apart (right, wrong, undecided), so that few rejected answers among many accepted
ones are still looked at; every estimate is weighted back by how many answers have that verdict.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tasks.core.identity import Frozen

STRATA = ("right", "wrong", "undecided")
_LEVEL = 0.95

#: A row is named by its id and its sample.
Name = tuple[str, int]


class Drawn(NamedTuple):
    """A sample of verdicts: its rows, and how many answers have each verdict."""

    rows: list[dict[str, Any]]
    sizes: dict[str, int]


class Share(Frozen):
    """An estimated share (0 to 1) with its 95 % interval; `estimate` is None where nothing tells it."""

    estimate: float | None
    low: float
    high: float


class Stratum(Frozen):
    """The answers of one verdict: all of them, those a person labelled, and those labelled right."""

    answers: int
    labelled: int
    truly_right: int


class Quality(Frozen):
    """What labels say of a filter.

    Attributes:
        strata: what was labelled, by verdict.
        precision: of the answers judged right, the share that is.
        recall: of the answers that are right, the share that was judged so.
    """

    strata: dict[str, Stratum]
    precision: Share
    recall: Share


def draw(verdicts: Iterable[Mapping[str, Any]], size: int, seed: int) -> Drawn:
    """Return `size` rows of each verdict at random; the same ones in whatever order the rows come."""
    sizes = Counter[str]()
    heaps = dict[str, list[tuple[int, str, int, dict[str, Any]]]]()
    for row in verdicts:
        sizes[row["verdict"]] += 1
        name = (str(row["row_id"]), int(row["sample"]))
        priority = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8])
        heap = heaps.setdefault(row["verdict"], [])
        push = heapq.heappush if len(heap) < size else heapq.heappushpop
        push(heap, (priority, *name, dict(row)))
    rows = [row for stratum in STRATA for *_, row in sorted(heaps.get(stratum, []), key=lambda item: item[:3])]
    return Drawn(rows, {stratum: sizes[stratum] for stratum in STRATA})


def quality(drawn: Drawn, labels: Mapping[Name, bool]) -> Quality:
    """Return what labels of drawn rows (True: the answer is right) say of the filter; others are not counted.

    Precision has the exact interval of a binomial share (Clopper and Pearson, 1934). Recall falls with the share of the
    rejected that are right and rises with that of the accepted, so its interval joins the far ends of theirs, each at
    the level that makes all of them hold together with at least 95 % (Bonferroni): wide, never too narrow.
    """
    strata = {name: _stratum(name, drawn, labels) for name in STRATA}
    used = [name for name in STRATA if drawn.sizes[name]]
    level = 1 - (1 - _LEVEL) / max(len(used), 1)
    shares = {name: _share(strata[name], level) for name in used}
    return Quality(
        strata=strata,
        precision=_share(strata["right"], _LEVEL),
        recall=_recall(drawn.sizes, shares),
    )


def _stratum(name: str, drawn: Drawn, labels: Mapping[Name, bool]) -> Stratum:
    found = [labels.get((str(row["row_id"]), int(row["sample"]))) for row in drawn.rows if row["verdict"] == name]
    return Stratum(answers=drawn.sizes[name], labelled=len(found) - found.count(None), truly_right=found.count(True))


def _share(stratum: Stratum, level: float) -> Share:
    if stratum.labelled == 0:
        return Share(estimate=None, low=0, high=1)
    estimate = stratum.truly_right / stratum.labelled
    if stratum.labelled == stratum.answers:  # all were labelled: nothing is left to chance
        return Share(estimate=estimate, low=estimate, high=estimate)
    from scipy.stats import binomtest

    interval = binomtest(stratum.truly_right, stratum.labelled).proportion_ci(level, method="exact")
    return Share(estimate=estimate, low=float(interval.low), high=float(interval.high))


def _recall(sizes: Mapping[str, int], shares: Mapping[str, Share]) -> Share:
    accepted = shares.get("right", Share(estimate=0, low=0, high=0))
    rejected = [(sizes[name], share) for name, share in shares.items() if name != "right"]

    def recall(found: float, missed: Sequence[float]) -> float | None:
        kept = sizes["right"] * found
        lost = sum(size * share for (size, _), share in zip(rejected, missed, strict=True))
        return kept / (kept + lost) if kept + lost else None

    estimates = [share.estimate for _, share in rejected]
    known = accepted.estimate is not None and None not in estimates
    low = recall(accepted.low, [share.high for _, share in rejected])
    high = recall(accepted.high, [share.low for _, share in rejected])
    return Share(
        estimate=recall(accepted.estimate or 0, [each or 0 for each in estimates]) if known else None,
        low=0 if low is None else low,
        high=1 if high is None else high,
    )

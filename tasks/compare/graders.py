"""The same answers as another grader takes them: whether a difference is of the models or of who graded them.

Another grader's word replaces the benchmark's own, item by item; where it cannot tell (it could not read the reference,
or the comparison failed) the own word stands. So a grader that can tell nothing changes nothing, and what changes is
what the two say differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasks.compare.pairing import Floats, Key, Paired
from tasks.core.errors import IntegrityError
from tasks.core.results import Delta, Disagreement, GradedDelta


@dataclass(frozen=True)
class Grades:
    """Another grader's word on one table of scores, as columns of equal length in any order; see ``core.rows.GRADES``.

    Attributes:
        grader: its name.
        correct: 0 to 1, NaN where it cannot tell.
    """

    grader: str
    item: Sequence[str]
    correct: Floats
    prediction: Sequence[str]
    gold: Sequence[str]
    evidence: Sequence[str]


@dataclass(frozen=True)
class Regraded:
    """One benchmark as two graders have it.

    Attributes:
        scored: by the benchmark's own grading; `pair` by the other grader, where it can tell.
        undecided: shape (arms, seeds, items), where it cannot.
        grades: of each arm and seed; `places` are their rows in the order of the pair's items, (arms, seeds, items).
    """

    scored: Paired
    pair: Paired
    undecided: NDArray[np.bool_]
    grades: Mapping[tuple[str, int], Grades]
    places: NDArray[np.int64]

    @property
    def grader(self) -> str:
        """The other grader's name."""
        return next(iter(self.grades.values())).grader

    @property
    def differs(self) -> NDArray[np.bool_]:
        """Where the two disagree; shape (arms, seeds, items)."""
        return np.asarray(self.scored.correct != self.pair.correct)


def regrade(pairs: Sequence[Paired], grades: Mapping[Key, Grades]) -> list[Regraded]:
    """Return the benchmarks that were graded again, in the order of `pairs`.

    Raises:
        IntegrityError: where a benchmark was graded again in some arms or seeds only, where grades are of other items
            than the scores or hold one twice, and for a `correct` outside 0 to 1.
    """
    known = {(arm, seed, pair.benchmark) for pair in pairs for arm in pair.arms for seed in pair.seeds}
    if stray := sorted(set(grades) - known):
        raise IntegrityError(f"grades of {_who(stray[0])}, which was not scored", remedy=_again(stray[0]))
    graded = {name for _, _, name in grades}
    return [_regraded(pair, grades) for pair in pairs if pair.benchmark in graded]


def regraded_pairs(pairs: Sequence[Paired], regraded: Sequence[Regraded]) -> list[Paired]:
    """Return `pairs` with those that were graded again as the other grader has them."""
    other = {one.pair.benchmark: one.pair for one in regraded}
    return [other.get(pair.benchmark, pair) for pair in pairs]


def graded_deltas(regraded: Sequence[Regraded], deltas: Sequence[Delta], k: int) -> tuple[GradedDelta, ...]:
    """Return what the other grader makes of candidate `k`'s deltas; `deltas` were found on `regraded_pairs`."""
    found = {delta.benchmark: delta for delta in deltas}
    made = []
    for one in regraded:
        delta = found[one.pair.benchmark]
        made.append(
            GradedDelta(
                benchmark=delta.benchmark,
                grader=one.grader,
                delta=delta.delta,
                low=delta.low,
                high=delta.high,
                finding=delta.finding,
                n_disagreements=int(one.differs[[0, k + 1]].sum()),
                n_undecided=int(one.undecided[[0, k + 1]].sum()),
            )
        )
    return tuple(made)


def disagreements(regraded: Sequence[Regraded], arms: Sequence[str] | None = None) -> Iterator[Disagreement]:
    """Yield every answer on which the graders disagree, of some arms or of all: by benchmark, item, arm and seed."""
    for one in regraded:
        pair, own = one.pair, one.scored
        for i, a, s in np.argwhere(one.differs.transpose(2, 0, 1)):
            arm, seed = pair.arms[a], pair.seeds[s]
            if arms is None or arm in arms:
                grades, place = one.grades[arm, seed], int(one.places[a, s, i])
                yield Disagreement(
                    arm=arm,
                    seed=seed,
                    benchmark=pair.benchmark,
                    item=str(pair.items[i]),
                    prediction=grades.prediction[place],
                    gold=grades.gold[place],
                    grader=grades.grader,
                    scored=float(own.correct[a, s, i]),
                    regraded=float(pair.correct[a, s, i]),
                    evidence=grades.evidence[place],
                )


def _regraded(pair: Paired, grades: Mapping[Key, Grades]) -> Regraded:
    keys = [(arm, seed, pair.benchmark) for arm in pair.arms for seed in pair.seeds]
    for key in keys:
        if key not in grades:
            raise IntegrityError(f"no grades of {_who(key)}, while others were graded again", remedy=_again(key))
    shape = pair.correct.shape
    places = np.stack([_places(key, grades[key], pair) for key in keys]).reshape(shape)
    word = np.stack([grades[key].correct for key in keys]).reshape(shape)
    word = np.take_along_axis(word, places, axis=2)
    undecided = np.isnan(word)
    return Regraded(
        scored=pair,
        pair=replace(pair, correct=np.where(undecided, pair.correct, word)),
        undecided=undecided,
        grades={(arm, seed): grades[arm, seed, name] for arm, seed, name in keys},
        places=places,
    )


def _places(key: Key, grades: Grades, pair: Paired) -> NDArray[np.int64]:
    """Return where in `grades` each item of `pair` is."""
    items = np.asarray(grades.item, dtype=object)
    order = np.argsort(items, kind="stable").astype(np.int64)
    if len(items) != len(pair.items) or (items[order] != pair.items).any():
        raise IntegrityError(f"the grades of {_who(key)} are of other items than its scores", remedy=_again(key))
    known = grades.correct[~np.isnan(grades.correct)]
    if ((known < 0) | (known > 1)).any():
        raise IntegrityError(f"the grades of {_who(key)} say {known.max()}: `correct` is 0 to 1", remedy=_again(key))
    return order


def _who(key: Key) -> str:
    return f"{key[0]}, seed {key[1]}, on {key[2]}"


def _again(key: Key) -> str:
    return f"remove the grades of {_who(key)} and run again: it will be graded anew"

"""What became of single items: which ones a candidate fixed and broke, and whether that lies in its training rows.

A ledger is made by `ledger` and shown by `report` and `track`.
"""

from __future__ import annotations

from typing import Literal

from tasks.core.identity import Frozen

#: How much of an item a candidate changed, from its share of right answers over seeds: by more than half, up or down.
Change = Literal["fixed", "broken"]
#: How often the control gets an item right over its seeds: at none of them, at some, at all.
Difficulty = Literal["never", "sometimes", "always"]
#: Whether what was fixed lies near the training rows because they teach it, or because they hold its text.
Conclusion = Literal["learned", "memorised", "cannot tell"]


class NearRow(Frozen):
    """A training row near an item.

    Attributes:
        row_id: the row's own id, for ``assay trace``.
        excerpt: the beginning of its text.
        score: its BM25 score for the item.
        share: that score over what the item's own text would get, 0 to 1.
    """

    row_id: str
    excerpt: str
    score: float
    share: float


class ChangedItem(Frozen):
    """One item that was fixed or broken, with what both arms answered at one seed.

    Attributes:
        level: how hard its benchmark says it is; empty where it does not say.
        control, candidate: the share of seeds at which each gets it right, 0 to 1.
        seed: that of the two outputs.
        overlap: the highest share of the item's text (n-grams of words) in any training row, None where unknown.
        nearest: the training rows nearest to it, best first.
    """

    benchmark: str
    item: str
    topic: str
    level: str = ""
    difficulty: Difficulty
    change: Change
    control: float
    candidate: float
    seed: int
    question: str
    gold: str
    control_output: str
    candidate_output: str
    overlap: float | None
    nearest: tuple[NearRow, ...] = ()


class ChangeCount(Frozen):
    """How many items of a group were fixed and broken."""

    benchmark: str
    group: str
    items: int
    fixed: int
    broken: int


class FixedShare(Frozen):
    """How many items of a group were fixed, of those that could be."""

    items: int
    fixed: int


class OddsRatio(Frozen):
    """How much higher the odds of one group are than those of another; exact, given the margins of every stratum.

    Attributes:
        estimate: the conditional maximum of likelihood; None where it is infinite.
        low, high: bound it at `confidence`; `high` is None where nothing does.
        p_value: two-sided, of no difference.
    """

    estimate: float | None
    low: float
    high: float | None
    p_value: float
    confidence: float


class Targeted(Frozen):
    """Whether the items near to the training rows were fixed more than the others.

    Counted among the items that decide and that the control gets wrong at more than half of its seeds, so that every
    one could be fixed. Near items are *apart* where no row shares much text with them; items whose text a row does
    share are *held*, near or not; the others are *far*.

    Attributes:
        failures: whether near means near to the failed questions that the candidate was made for, and not to its rows.
        near_from: the share of the item's own BM25 score from which a row is near.
        near, apart, held, far: what was fixed; `near` is counted with or without overlap. Held items are in `near` too.
        near_to_far: near items against all others.
        apart_to_far: against far items, those that are near without a shared text; None where overlap is unknown, or
            one of the two groups is empty.
        held_to_rest: items whose text is held against all others; None as above.
    """

    failures: bool
    near_from: float
    near: FixedShare
    apart: FixedShare
    held: FixedShare
    far: FixedShare
    near_to_far: OddsRatio | None
    apart_to_far: OddsRatio | None
    held_to_rest: OddsRatio | None
    conclusion: Conclusion
    sentence: str


class Ledger(Frozen):
    """What a candidate fixed and broke, against the control, item by item over all seeds.

    Attributes:
        topics: by benchmark and topic, only groups in which something changed, the most changed first.
        levels: by benchmark and the level that it gives its items; again only groups in which something changed.
        difficulties: by benchmark and difficulty.
        shown: up to ten of each kind, from the benchmarks that decide first.
        targeted: None where no item of the deciding benchmarks could be fixed, or nothing is known of nearness.
    """

    candidate: str
    n_seeds: int
    items: int
    fixed: int
    broken: int
    topics: tuple[ChangeCount, ...]
    levels: tuple[ChangeCount, ...] = ()
    difficulties: tuple[ChangeCount, ...]
    shown: tuple[ChangedItem, ...]
    targeted: Targeted | None = None

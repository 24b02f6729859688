"""What an audit knows beside the table, and what it finds: values that it makes and the command line shows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.core.identity import Frozen

#: Correlations between two models' answers to the same items, for which it is said what a delta could be. Paired
#: answers of related models lie within; what theirs was, a table does not say.
CORRELATIONS = tuple(tenths / 10 for tenths in range(9))

Fault = Literal["sign", "contradiction", "dispute", "no whole number"]


class Known(Frozen):
    """A benchmark that is known.

    Attributes:
        items: how many questions it has.
        math: whether it counts among the math benchmarks, which are tested together.
        whole: whether a score is a number of right answers over `items`, so that it can only be k/n.
    """

    items: int = Field(ge=1)
    math: bool = False
    whole: bool = False


class Baseline(Frozen):
    """One benchmark's baseline in a group, in points.

    Attributes:
        score: None where the group's datasets do not agree on one.
        places: decimal places of the column that says it most finely.
        implied: score minus delta, by dataset.
    """

    benchmark: str
    score: float | None
    places: int
    implied: dict[str, float]


class Group(Frozen):
    """Datasets whose deltas are measured from the same baselines, as far as the numbers say."""

    name: str
    datasets: tuple[str, ...]
    baselines: tuple[Baseline, ...]


class Defect(Frozen):
    """Something that cannot be right as printed; nothing is changed.

    Attributes:
        datasets: whose numbers are in question: one, or all those that contradict each other.
        fault: ``sign``: the delta has the group's baseline once its sign is turned; ``contradiction``: score minus
            delta is not the baseline that most of the group has; ``dispute``: the group has no such majority;
            ``no whole number``: the score is no number of right answers.
        mends: what would mend it, each a change of one printed number (or of a score and the delta that rests on it).
    """

    fault: Fault
    group: str
    benchmark: str
    datasets: tuple[str, ...]
    said: str
    mends: tuple[str, ...]
    lines: tuple[str, ...]


class Chance(Frozen):
    """Whether a printed delta could be chance, over items alone: training seeds are not counted.

    Attributes:
        places: decimal places of its column.
        z: delta over its standard error, by correlation: unpaired at 0. None where the error is zero.
        math_from: the smallest of `CORRELATIONS` from which on it is beyond chance after Holm over the dataset's math
            benchmarks; None where it is at none of them, or is no math benchmark.
        all_from: the same over all of the dataset's benchmarks.
    """

    dataset: str
    benchmark: str
    score: float
    delta: float
    places: int
    items: int
    math: bool
    z: dict[str, float | None]
    math_from: float | None
    all_from: float | None


class Audit(Frozen):
    """What a printed table says by its own numbers.

    Attributes:
        rows: deltas that were read; `missing` the places without one.
        unknown: benchmarks whose number of items nobody knows: nothing is said on chance there.
    """

    rows: int
    missing: int
    groups: tuple[Group, ...]
    defects: tuple[Defect, ...]
    chances: tuple[Chance, ...]
    unknown: tuple[str, ...] = ()

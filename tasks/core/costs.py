"""What a candidate cost, and what a point gained by it cost."""

from __future__ import annotations

from tasks.core.identity import Frozen


class Spent(Frozen):
    """What making a candidate's data and annealing its arm took, over all seeds.

    Attributes:
        gpu_hours, core_hours: hours of GPUs, and of CPU cores where there was none, held while it ran.
        model_tokens: prompt and output tokens of the models that made the data.
        trained_tokens: tokens that the arm's anneals trained on.
        money: at the declared prices; None where none is declared.
    """

    gpu_hours: float
    core_hours: float
    model_tokens: int
    trained_tokens: int
    money: float | None = None


class PerPoint(Frozen):
    """A cost for each point gained.

    Attributes:
        unit: such as ``GPU-hours`` or ``tokens trained on``.
        total: the whole cost.
        estimate: the cost of a point; None where nothing was gained.
        low, high: bound it; None where nothing does.
    """

    unit: str
    total: float
    estimate: float | None
    low: float | None
    high: float | None


class CostPerPoint(Frozen):
    """What each point on the mean of the benchmarks that decide cost, in every unit that was spent."""

    candidate: str
    gain: float
    gain_low: float
    gain_high: float
    spent: Spent
    units: tuple[PerPoint, ...]
    sentence: str

"""Many tests at once, held to one error rate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike, alpha: float, at_look: Callable[[float], float] = float) -> NDArray[np.bool_]:
    """Return which hypotheses Holm's step-down rejects at family-wise level `alpha`, in the shape they came in.

    Args:
        at_look: what this look may use of a step's level, where the data are looked at more than once.
    """
    table = np.asarray(p_values, dtype=np.float64)
    flat = table.ravel()
    order = np.argsort(flat, kind="stable")
    steps = np.asarray([at_look(alpha / left) for left in range(len(flat), 0, -1)])
    rejected = np.zeros(len(flat), dtype=np.bool_)
    rejected[order] = np.logical_and.accumulate(flat[order] <= steps)
    return rejected.reshape(table.shape)

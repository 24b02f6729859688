"""Many tests at once, held to one error rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike, alpha: float) -> NDArray[np.bool_]:
    """Return which hypotheses Holm's step-down rejects at family-wise level `alpha`, in the shape they came in."""
    table = np.asarray(p_values, dtype=np.float64)
    flat = table.ravel()
    order = np.argsort(flat, kind="stable")
    rejected = np.zeros(len(flat), dtype=np.bool_)
    rejected[order] = np.logical_and.accumulate(flat[order] <= alpha / np.arange(len(flat), 0, -1))
    return rejected.reshape(table.shape)

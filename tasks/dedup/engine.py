"""What `dedup` asks of a MinHash engine."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Signatures = NDArray[np.uint64]


class MinHasher(Protocol):
    """Makes MinHash signatures (Broder 1997) of sets of hashes."""

    def signatures(self, hashes: NDArray[np.uint64], offsets: NDArray[np.uint64]) -> Signatures:
        """Return one signature a set, shape (sets, permutations).

        Args:
            hashes: the members of all sets, end to end.
            offsets: where each set starts, and behind them where the last one ends; no set is empty.
        """
        ...

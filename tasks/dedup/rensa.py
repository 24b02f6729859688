"""The adapter to rensa: MinHash in Rust, a batch of sets at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.dedup.engine import Signatures


class RensaMinHasher:
    """rensa's R-MinHash: `permutations` hash functions drawn by `seed`, over hashes that it takes as they are."""

    def __init__(self, permutations: int, seed: int) -> None:
        self._permutations, self._seed = permutations, seed

    def signatures(self, hashes: NDArray[np.uint64], offsets: NDArray[np.uint64]) -> Signatures:
        """Return one signature a set, shape (sets, permutations); values have 32 bits."""
        from rensa import RMinHash

        matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, self._permutations, self._seed)
        return np.array(matrix.to_rows(), dtype=np.uint64).reshape(-1, self._permutations)

"""How far each benchmark item was seen, over all rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tasks.decontaminate.index import ItemIndex
from tasks.decontaminate.overlap import Overlap


class Exposure:
    """Gathers the overlaps of row after row; memory is that of the items."""

    def __init__(self, index: ItemIndex, ratio: float) -> None:
        self._index, self._ratio = index, ratio
        self._highest, self._highest_kept = (np.zeros(len(index.items)) for _ in range(2))
        self._rows = np.zeros(len(index.items), np.int64)

    def add(self, overlaps: Sequence[Overlap]) -> bool:
        """Take the overlaps of one row; return whether they make it contaminated."""
        contaminated = any(overlap.ratio >= self._ratio for overlap in overlaps)
        for item, ratio, _ in overlaps:
            self._highest[item] = max(self._highest[item], ratio)
            self._rows[item] += ratio >= self._ratio
            if not contaminated:
                self._highest_kept[item] = max(self._highest_kept[item], ratio)
        return contaminated

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield a row of EXPOSURES for each item, in order."""
        for number, checked in enumerate(self._index.checked()):
            status = ("contaminated" if self._rows[number] else "clean") if checked else "unchecked"
            yield {
                **self._index.items[number]._asdict(),
                "status": status,
                "ratio": float(self._highest[number]),
                "kept_ratio": float(self._highest_kept[number]),
                "rows": int(self._rows[number]),
            }

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many items of each benchmark have each status."""
        found: dict[str, Counter[str]] = {}
        for row in self.items():
            found.setdefault(row["benchmark"], Counter())[row["status"]] += 1
        return {benchmark: dict(counter) for benchmark, counter in found.items()}

    def most_met(self) -> str:
        """Return the name of the item that most rows were dropped for."""
        return " ".join(self._index.items[int(self._rows.argmax())])

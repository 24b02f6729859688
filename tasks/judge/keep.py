"""Which of a question's right answers is kept: any of them, by chance, the same one every time.

A reward model's choice was no better than chance (open-r1, update 2); the shortest or the first would bias the data.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any


def keep_one(verdicts: Iterable[Mapping[str, Any]], seed: int) -> Iterator[tuple[str, int]]:
    """Yield (row id, sample) of one right answer a question, at random by `seed` and the row's id alone.

    Args:
        verdicts: rows of VERDICTS; those of one question follow each other, as `judge` writes them.
    """
    for row_id, group in groupby(verdicts, key=lambda row: str(row["row_id"])):
        if right := sorted(row["sample"] for row in group if row["verdict"] == "right"):
            yield row_id, random.Random(f"{seed} {row_id}").choice(right)

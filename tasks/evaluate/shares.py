"""How a limit is shared over the subsets of a benchmark. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def shares(sizes: Sequence[int], limit: int | None) -> list[int]:
    """Return how many items to take of each subset: all, or `limit` of them, as evenly as their sizes allow.

    Earlier subsets take the remainder. The same sizes and limit always give the same shares.
    """
    if limit is None or limit >= sum(sizes):
        return list(sizes)
    taken = [0] * len(sizes)
    left = limit
    while left:
        unfilled = [i for i, size in enumerate(sizes) if taken[i] < size]
        each, extra = divmod(left, len(unfilled))
        for place, i in enumerate(unfilled):
            more = min(each + (place < extra), sizes[i] - taken[i])
            taken[i] += more
            left -= more
    return taken

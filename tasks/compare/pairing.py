"""Scores of many arms and seeds, made into arrays that line up: the same items, in the same order, in every arm.

A table of scores belongs to one (arm, seed, benchmark). Items are matched by name, never by position; what cannot be
matched is refused, because a delta over different questions says nothing about the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from tasks.core.errors import IntegrityError

Floats = NDArray[np.float64]
#: (arm, seed, benchmark)
Key = tuple[str, int, str]


@dataclass(frozen=True)
class Scores:
    """One table of scores as columns of equal length, in any order; see ``core.rows.SCORES``.

    Attributes:
        truncated: 0 or 1.
        bits: of the gold answer, and `bytes` its length; NaN where there is none.
    """

    benchmark: Sequence[str]
    item: Sequence[str]
    cluster: Sequence[str | None]
    prompt: Sequence[str | None]
    correct: Floats
    truncated: Floats
    bits: Floats
    bytes: Floats


@dataclass(frozen=True)
class Paired:
    """One benchmark, paired by item and seed, over all arms; the control is arm 0, the others in order of name.

    Attributes:
        correct: shape (arms, seeds, items), 0 to 1.
        cluster: shape (items,), a number from 0 for each cluster.
        truncated: shape (arms,), the share of answers cut at the output limit, 0 to 1.
        bits_per_byte: shape (arms,), of the gold answers, mean over seeds; NaN where there are none.
        items: shape (items,), their names in order; empty where nobody asks for them.
    """

    benchmark: str
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    correct: Floats
    cluster: NDArray[np.int64]
    truncated: Floats
    bits_per_byte: Floats
    items: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))

    def only(self, chosen: NDArray[np.bool_]) -> Paired:
        """Return the same over some items alone; truncation and bits per byte stay those of all."""
        _, cluster = np.unique(self.cluster[chosen], return_inverse=True)
        return replace(self, correct=self.correct[:, :, chosen], cluster=cluster, items=self.items[chosen])


def pair(tables: Mapping[Key, Scores], control: str) -> list[Paired]:
    """Return every benchmark paired over all arms and seeds, in order of name.

    Raises:
        IntegrityError: for a missing control, seed or benchmark; for other items, clusters or prompts than the
            control's; for duplicated items and for a `correct` outside 0 to 1. Each names what to run again.
    """
    arms = sorted({arm for arm, _, _ in tables}, key=lambda arm: (arm != control, arm))
    if control not in arms or len(arms) < 2:
        raise IntegrityError(
            f"a comparison needs the control {control!r} and a candidate; scores are of {', '.join(arms) or 'none'}",
            remedy="run the evaluation of the missing arm",
        )
    seeds = sorted({seed for _, seed, _ in tables})
    names = sorted({benchmark for _, _, benchmark in tables})
    for key in ((arm, seed, name) for arm in arms for seed in seeds for name in names):
        if key not in tables:
            raise IntegrityError(f"no scores of {_who(key)}", remedy=f"run the evaluation of {_who(key)}")
    return [_paired(tables, name, tuple(arms), tuple(seeds)) for name in names]


def _paired(tables: Mapping[Key, Scores], benchmark: str, arms: tuple[str, ...], seeds: tuple[int, ...]) -> Paired:
    keys = [(arm, seed, benchmark) for arm in arms for seed in seeds]
    first = tables[keys[0]]
    for key in keys:
        _check_table(key, tables[key])
    own = _order(keys[0], first)
    measure = _lined_up(first, own)
    listed = {column: tuple(values) for column, values in measure.items()}
    # Most tables list the items as the control's does, and what is equal as it stands need not be lined up.
    orders = []
    for key in keys:
        order = own if _lists_alike(tables[key], first) else _order_like(tables[key], listed)
        if order is None:
            order = _order(key, tables[key])
            _check_same_items(key, _lined_up(tables[key], order), keys[0], measure)
        orders.append(order)
    shape = (len(arms), len(seeds), -1)
    correct, truncated, bits, size = (
        np.stack([getattr(tables[key], column)[order] for key, order in zip(keys, orders, strict=True)]).reshape(shape)
        for column in ("correct", "truncated", "bits", "bytes")
    )
    return Paired(
        benchmark=benchmark,
        arms=arms,
        seeds=seeds,
        correct=correct,
        cluster=_cluster_numbers(measure["item"], measure["cluster"]),
        truncated=truncated.mean(axis=(1, 2)),
        bits_per_byte=_bits_per_byte(bits, size),
        items=measure["item"],
    )


def _check_table(key: Key, scores: Scores) -> None:
    """Refuse what is wrong with a table by itself."""
    again = f"run the evaluation of {_who(key)} again"
    if foreign := set(scores.benchmark) - {key[2]}:
        raise IntegrityError(f"the scores of {_who(key)} hold rows of {', '.join(sorted(foreign))}", remedy=again)
    if len(scores.item) < 2:
        raise IntegrityError(
            f"the scores of {_who(key)} hold {len(scores.item)} items, too few to compare", remedy=again
        )
    outside = ~((scores.correct >= 0) & (scores.correct <= 1))  # NaN is outside too
    if outside.any():
        place = int(np.flatnonzero(outside)[0])
        raise IntegrityError(
            f"the scores of {_who(key)} say {scores.correct[place]} for item {scores.item[place]!r}: `correct` is 0 to "
            "1",
            remedy=again,
        )


def _lists_alike(ours: Scores, theirs: Scores) -> bool:
    """Say whether two tables hold the same items, prompts and clusters in the same order."""
    return ours is theirs or all(
        list(getattr(ours, column)) == list(getattr(theirs, column)) for column in ("item", "prompt", "cluster")
    )


def _order_like(scores: Scores, listed: Mapping[str, tuple[str | None, ...]]) -> NDArray[np.int64] | None:
    """Return the places of a table's rows in the order in which items are `listed`; None where anything differs."""
    places = dict(zip(scores.item, range(len(scores.item)), strict=True))
    if not len(places) == len(scores.item) == len(listed["item"]):
        return None
    try:
        order = itemgetter(*listed["item"])(places)
    except KeyError:
        return None
    alike = all(itemgetter(*order)(getattr(scores, column)) == listed[column] for column in ("prompt", "cluster"))
    return np.asarray(order, dtype=np.int64) if alike else None


def _order(key: Key, scores: Scores) -> NDArray[np.int64]:
    """Return the places of a table's rows in order of item."""
    items = np.asarray(scores.item, dtype=object)
    order = np.argsort(items, kind="stable").astype(np.int64)
    if len(twice := np.flatnonzero(items[order][1:] == items[order][:-1])):
        raise IntegrityError(
            f"the scores of {_who(key)} hold item {items[order][twice[0]]!r} twice",
            remedy=f"run the evaluation of {_who(key)} again",
        )
    return order


def _lined_up(scores: Scores, order: NDArray[np.int64]) -> dict[str, NDArray[np.object_]]:
    columns = {"item": scores.item, "prompt": scores.prompt, "cluster": scores.cluster}
    return {name: np.asarray(values, dtype=object)[order] for name, values in columns.items()}


def _check_same_items(
    key: Key, ours: Mapping[str, NDArray[np.object_]], control_key: Key, theirs: Mapping[str, NDArray[np.object_]]
) -> None:
    again = f"run the evaluation of {_who(key)} again, with the control's settings"
    if len(ours["item"]) != len(theirs["item"]) or (ours["item"] != theirs["item"]).any():
        missing = sorted(set(theirs["item"]) - set(ours["item"]))
        added = sorted(set(ours["item"]) - set(theirs["item"]))
        raise IntegrityError(
            f"{_who(key)} and {_who(control_key)} answered different items: {_some(missing)} missing, "
            f"{_some(added)} added",
            remedy=again,
        )
    for column in ("prompt", "cluster"):
        differing = np.flatnonzero(ours[column] != theirs[column])
        if len(differing):
            raise IntegrityError(
                f"{_who(key)} and {_who(control_key)} differ in the {column} of {len(differing)} items, first "
                f"{ours['item'][differing[0]]!r}",
                remedy=again,
            )


def _cluster_numbers(items: NDArray[np.object_], clusters: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return a number for each item's cluster; an item without one is a cluster of its own."""
    names = [("cluster", cluster) if cluster else ("item", item) for item, cluster in zip(items, clusters, strict=True)]
    numbers: dict[tuple[str, str], int] = {}
    return np.asarray([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _bits_per_byte(bits: Floats, size: Floats) -> Floats:
    """Return bits over bytes of the gold answers, (arms, seeds, items) to (arms,); NaN where a seed has none."""
    known = np.isfinite(bits) & (size > 0)
    total = np.where(known, size, 0.0).sum(axis=2)
    rate = np.full(total.shape, np.nan)
    np.divide(np.where(known, bits, 0.0).sum(axis=2), total, out=rate, where=total > 0)
    return np.asarray(rate.mean(axis=1))


def _some(names: Sequence[str]) -> str:
    return f"{len(names)} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else "none"


def _who(key: Key) -> str:
    return f"{key[0]}, seed {key[1]}, on {key[2]}"

"""Studies made up for the statistics' benchmarks: answers to items, and training that has luck.

An item has a difficulty, drawn from a beta distribution. Every arm sees the same luck of the draw on it, but for one
item in ten that an arm has a mind of its own about, and one in ten that flips from seed to seed. Training adds the same
shift to all items of an arm and seed, in proportion to p(1-p): the *training noise*, whose spread is given for the
difference of two arms. Clusters of four and five items share their difficulty, and six in ten of their items also the
arms' minds.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.compare.deltas import Sums

_OWN, _FLIP, _ALIKE, _SPREAD = 0.1, 0.1, 0.6, 2.0
_POPULATION = 60_000


@dataclass(frozen=True)
class World:
    """What is true: `accuracy` is a share of 1, `noise` and the `effects` of the candidates are in points."""

    n_items: int
    seeds: int
    accuracy: float
    noise: float
    effects: Sequence[float] = (0, 0, 0, 0)
    clustered: bool = False

    @property
    def arms(self) -> int:
        return len(self.effects) + 1


def clusters(n_items: int) -> np.ndarray:
    """Return a cluster number for each item: groups of four and five in turn."""
    return np.repeat(np.arange(n_items), np.tile([4, 5], n_items)[:n_items])[:n_items]


def answers(world: World, rng: np.random.Generator, luck: np.ndarray | None = None) -> np.ndarray:
    """Return one study's answers, 0 or 1, of shape (arms, seeds, items); `luck` in points overrides the noise."""
    n, arms, seeds = world.n_items, world.arms, world.seeds
    group = clusters(n) if world.clustered else np.arange(n)
    alike = rng.random(n) < _ALIKE
    base = rng.beta(world.accuracy * _SPREAD, (1 - world.accuracy) * _SPREAD, group[-1] + 1)[group]

    def shared(*shape: int) -> np.ndarray:
        own = rng.random((*shape, n), dtype=np.float32)
        if not world.clustered:
            return own
        return np.where(alike, rng.random((*shape, group[-1] + 1), dtype=np.float32)[..., group], own)

    mind, chance = shared(arms), shared(1)
    # The part of a uniform number below a share is uniform again: one draw says whether, and what instead.
    chance = np.where(mind < _OWN, mind / np.float32(_OWN), chance)[:, None, :]
    flip = rng.random((arms, seeds, n), dtype=np.float32)
    chance = np.where(flip < _FLIP, flip / np.float32(_FLIP), chance)
    if luck is None:
        luck = lucky(world, rng)
    shift = (luck + np.concatenate([[0], world.effects])[:, None]) / 100
    room = base * (1 - base)
    room = room / (world.accuracy * (1 - world.accuracy) * _SPREAD / (_SPREAD + 1))  # over its expectation
    return (chance < (base + shift[..., None] * room).astype(np.float32)).astype(np.float64)


def lucky(world: World, rng: np.random.Generator) -> np.ndarray:
    """Return what training adds to each arm and seed, in points."""
    return rng.normal(0, world.noise / math.sqrt(2), (world.arms, world.seeds))


def studies(world: World, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    for _ in range(count):
        yield answers(world, rng)


def study_sums(world: World, count: int, rng: np.random.Generator) -> tuple[Sums, np.ndarray]:
    """Return the sums of `count` studies at once, and the true differences, for benchmarks of many items.

    Sums over a thousand items and more are close to normal: their mean and covariance are those of a population of
    60,000 items answered without luck, and luck is then added to every answer of an arm and seed.
    """
    centre, root, truth, size = population(world.seeds, world.accuracy, tuple(world.effects), world.clustered)
    n, sizes = world.n_items, np.bincount(clusters(world.n_items)) if world.clustered else np.ones(world.n_items)
    groups = n / size
    total = groups * centre + math.sqrt(groups) * rng.standard_normal((count, len(centre))) @ root.T
    arms, seeds = world.arms, world.seeds
    right, squares = total[:, : arms * seeds].reshape(count, arms, seeds), total[:, arms * seeds :]
    square, item, cluster, weighted = np.moveaxis(squares.reshape(count, 4, arms - 1), 1, 0)
    luck = rng.normal(0, world.noise / 100 / math.sqrt(2), (count, arms, seeds))
    shift = luck[:, 1:] - luck[:, :1]
    difference, mean = right[:, 1:] - right[:, :1], shift.mean(axis=2)
    sums = Sums(
        n_items=n,
        n_clusters=len(sizes),
        sizes=float((sizes**2).sum()),
        accuracy=right / n + luck,
        answers=square + 2 * (shift * difference).sum(axis=2) + n * (shift**2).sum(axis=2),
        items=item + 2 * mean * difference.mean(axis=2) + n * mean**2,
        clusters=cluster + 2 * mean * weighted + (sizes**2).sum() * mean**2,
        weighted=weighted + (sizes**2).sum() * mean,
    )
    return sums, truth


@functools.cache
def population(
    seeds: int, accuracy: float, effects: tuple[float, ...], clustered: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return mean and root of the covariance of a group's terms, the true differences and the mean size of a group."""
    world = World(_POPULATION, seeds, accuracy, 0, effects, clustered)
    correct = answers(world, np.random.default_rng([seeds, round(1000 * accuracy), len(effects), clustered]))
    group = clusters(_POPULATION) if clustered else np.arange(_POPULATION)
    each = _by_group(correct, group)
    values, vectors = np.linalg.eigh(np.cov(each.T))
    root = vectors * np.sqrt(np.maximum(0, values))
    return each.mean(axis=0), root, (correct[1:] - correct[:1]).mean(axis=(1, 2)), _POPULATION / len(each)


def _by_group(correct: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return each group's right answers by arm and seed, and its terms of the four sums, side by side."""
    difference = correct[1:] - correct[:1]
    item = difference.mean(axis=1)

    def total(rows: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(group, weights=row) for row in rows.reshape(-1, len(group))])

    whole = total(item)
    parts = [total(correct), total((difference**2).sum(axis=1)), total(item**2), whole**2, whole * np.bincount(group)]
    return np.concatenate(parts).T

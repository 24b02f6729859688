from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from tasks.compare.config import BenchmarkFacts
from tasks.compare.pairing import Key, Scores

Tables = dict[Key, Scores]


def table(benchmark: str, correct, **columns) -> Scores:
    """Scores of items i000, i001, ... in that order."""
    correct = np.asarray(correct, dtype=np.float64)
    n = len(correct)
    values = {
        "benchmark": [benchmark] * n, "item": [f"i{i:03}" for i in range(n)], "cluster": [None] * n,
        "prompt": [f"p{i}" for i in range(n)], "correct": correct, "truncated": np.zeros(n),
        "bits": np.full(n, np.nan), "bytes": np.full(n, np.nan),
    }  # fmt: skip
    return Scores(**values | columns)


def answers(rng: np.random.Generator, shares: Mapping[str, float], seeds: int, n: int, flip: float = 0.1):
    """0/1 answers of each arm at each seed, paired by item difficulty: {(arm, seed): (n,)}."""
    difficulty = rng.random(n)
    made = {}
    for arm, share in shares.items():
        for seed in range(1, seeds + 1):
            luck = np.where(rng.random(n) < flip, rng.random(n), difficulty)
            made[arm, seed] = (luck < share).astype(np.float64)
    return made


@pytest.fixture
def build() -> Callable[..., Tables]:
    def tables(benchmarks: Mapping[str, Mapping[str, float]], seeds: int = 3, n: int = 400, seed: int = 7) -> Tables:
        rng = np.random.default_rng(seed)
        return {
            (arm, number, name): table(name, correct)
            for name, shares in benchmarks.items()
            for (arm, number), correct in answers(rng, shares, seeds, n).items()
        }

    return tables


@pytest.fixture
def facts() -> list[BenchmarkFacts]:
    domains = {"math-a": "math", "math-b": "math", "facts": "knowledge", "code": "coding"}
    return [BenchmarkFacts.model_validate({"name": n, "domain": d, "metric": "accuracy"}) for n, d in domains.items()]


@pytest.fixture
def simulate() -> Callable[..., np.ndarray]:
    def studies(rng: np.random.Generator, count: int, noise: float, n: int = 200, seeds: int = 3, arms: int = 5):
        """Correct answers of `count` studies in which the arms do not differ but in training luck (`noise`, points)."""
        luck = rng.normal(0, noise / 100 / math.sqrt(2), (count, arms, seeds, 1))
        base = rng.beta(0.6, 1.4, (count, 1, 1, n))
        latent = np.where(rng.random((count, arms, seeds, n)) < 0.1, rng.random((count, arms, seeds, n)),
                          rng.random((count, 1, 1, n)))  # fmt: skip
        share = np.clip(base + luck * base * (1 - base) / (base * (1 - base)).mean(axis=3, keepdims=True), 0, 1)
        return (latent < share).astype(np.float64)

    return studies

"""The gain on the mean of the benchmarks that decide."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.compare.deltas import estimate, mean_squares
from tasks.compare.overall import overall_deltas
from tasks.compare.pairing import Paired


def benchmark(name, correct, cluster=None):
    arms, seeds, items = correct.shape
    return Paired(
        benchmark=name, arms=("control", *(f"c{k}" for k in range(1, arms))), seeds=tuple(range(seeds)),
        correct=correct, cluster=np.arange(items) if cluster is None else cluster, truncated=np.zeros(arms),
        bits_per_byte=np.full(arms, np.nan),
    )  # fmt: skip


def drawn(seed, n, gain, arms=3, seeds=3):
    rng = np.random.default_rng(seed)
    hard = rng.random(n)
    shift = np.array([0.0, *[gain] * (arms - 1)])[:, None, None]
    return (rng.random((arms, seeds, n)) < hard + shift).astype(float)


def test_every_benchmark_counts_alike_whatever_its_size():
    large, small = drawn(1, 3000, 0.0), drawn(2, 200, 0.2)
    gains = [float((one[1] - one[0]).mean()) for one in (large, small)]
    found = overall_deltas([benchmark("large", large), benchmark("small", small)], ["large", "small"], 0.95)
    assert found[0].delta == pytest.approx(100 * sum(gains) / 2)
    assert found[0].benchmarks == ("large", "small")
    assert found[0].low < found[0].delta < found[0].high


def test_one_benchmark_is_its_own_delta():
    correct = drawn(3, 400, 0.1)
    [first, second] = overall_deltas([benchmark("one", correct), benchmark("guard", drawn(4, 50, 0))], ["one"], 0.95)
    measured = estimate(mean_squares(correct, np.arange(400)))
    assert (first.delta, second.delta) == tuple(pytest.approx(100 * one) for one in measured.mean)
    assert first.low == pytest.approx(100 * measured.interval(0.95)[0][0], abs=1e-5)


def test_the_interval_covers_noise_that_all_benchmarks_share():
    """A seed's luck that moves both benchmarks together is not averaged away: coverage over 300 studies."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(300):
        luck = rng.normal(0, 0.03, (3, 3, 1))
        pairs = [
            benchmark(name, (rng.random((3, 3, n)) < np.clip(0.5 + luck, 0, 1)).astype(float))
            for name, n in (("a", 400), ("b", 800))
        ]
        found = overall_deltas(pairs, ["a", "b"], 0.95)[0]
        covered += found.low <= 0 <= found.high
    assert covered >= 0.92 * 300

"""The estimator: worked by hand where it can be, and by what must hold of any."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from tasks.compare.deltas import common_noise, estimate, mean_squares

arrays = hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.25, 1.0]))
)


def textbook(correct: np.ndarray) -> tuple[float, float]:
    """Standard error and degrees of freedom of the only candidate, written out with loops, K = 1, one benchmark."""
    d = correct[1] - correct[0]
    s, n = d.shape
    items, seeds, mean = d.mean(axis=0), d.mean(axis=1), d.mean()
    mss = n * sum((x - mean) ** 2 for x in seeds) / (s - 1)
    residual = sum((d[j, i] - items[i] - seeds[j] + mean) ** 2 for i in range(n) for j in range(s))
    mse = residual / ((n - 1) * (s - 1))
    c = n * mean / (n + 2)
    i_square = s * max(0.0, sum(x**2 for x in items) + 1 / s - (n + 2) * c**2) / (n + 1)
    v = max(i_square + mss - mse, i_square)
    df = max(1.0, v**2 / (i_square**2 / (n + 1) + mss**2 / (s - 1) + mse**2 / ((n - 1) * (s - 1))))
    return math.sqrt(v / ((n + 2) * s)), df


def test_one_seed_by_hand():
    """Four items, +1 +1 0 0: n2 = 6, c = 1/3, I = (2 + 1 - 6/9)/5 = 7/15, se = sqrt(7/90), five degrees."""
    found = estimate(mean_squares(np.array([[[0, 0, 0, 1]], [[1, 1, 0, 1]]], dtype=float)))
    assert found.mean[0] == 0.5
    assert found.centre[0] == pytest.approx(1 / 3)
    assert found.standard_error[0] == pytest.approx(math.sqrt(7 / 90))
    assert found.degrees_of_freedom[0] == pytest.approx(5)
    low, high = found.interval(0.95)
    assert (low[0], high[0]) == pytest.approx((1 / 3 - 2.570582 * 0.278887, 1.0), abs=1e-5)


def test_two_seeds_by_hand():
    """Two items, D = [[1, 0], [0, 0]]: every mean square is 1/4, I = 2 (1/4 + 1/2 - 1/16 * 4/4)/3, V = I."""
    found = estimate(mean_squares(np.array([[[0, 0], [0, 0]], [[1, 0], [0, 0]]], dtype=float)))
    c = 2 * 0.25 / 4
    i_square = 2 * (0.25 + 0.5 - 4 * c**2) / 3
    assert found.centre[0] == pytest.approx(0.125)
    assert found.standard_error[0] == pytest.approx(math.sqrt(i_square / 8))


@given(arrays)
def test_a_single_candidate_on_one_benchmark_is_the_textbook(correct: np.ndarray):
    pair = correct[:2]
    found = estimate(mean_squares(pair))
    error, df = textbook(pair)
    assert found.standard_error[0] == pytest.approx(error)
    assert found.degrees_of_freedom[0] == pytest.approx(df)


def test_pool_by_hand():
    """Two candidates, two seeds, two items: residuals of accuracy, by hand."""
    correct = np.array([[[0, 0], [1, 1]], [[0, 0], [0, 0]], [[1, 1], [0, 0]]], dtype=float)
    accuracy = np.array([[0, 1], [0, 0], [1, 0]], dtype=float)  # arm means .5 0 .5, seed means 1/3 1/3, grand 1/3
    residual = accuracy - np.array([[0.5], [0], [0.5]]) - 1 / 3 + 1 / 3
    assert mean_squares(correct).pool == pytest.approx(2 * 2 * (residual**2).sum() / (2 * 1))


@given(arrays, st.randoms(use_true_random=False))
def test_the_order_of_items_and_seeds_changes_nothing(correct: np.ndarray, random):
    seeds, items = list(range(correct.shape[1])), list(range(correct.shape[2]))
    random.shuffle(seeds)
    random.shuffle(items)
    before, after = estimate(mean_squares(correct)), estimate(mean_squares(correct[:, seeds][:, :, items]))
    np.testing.assert_allclose(after.interval(0.95), before.interval(0.95), atol=1e-9)


@given(arrays, st.randoms(use_true_random=False))
def test_the_order_of_candidates_changes_nothing(correct: np.ndarray, random):
    order = list(range(1, len(correct)))
    random.shuffle(order)
    before, after = estimate(mean_squares(correct)), estimate(mean_squares(correct[[0, *order]]))
    places = [k - 1 for k in order]
    np.testing.assert_allclose(after.standard_error, before.standard_error[places], atol=1e-9)


@given(arrays)
def test_swapping_the_arms_mirrors_the_interval(correct: np.ndarray):
    ahead, back = estimate(mean_squares(correct[:2])), estimate(mean_squares(correct[1::-1]))
    low, high = ahead.interval(0.95)
    np.testing.assert_allclose(back.interval(0.95), (-high, -low), atol=1e-9)
    np.testing.assert_allclose(back.p_up, ahead.p_down, atol=1e-9)


@given(arrays, st.booleans())
def test_an_interval_holds_its_estimate_and_has_a_width(correct: np.ndarray, clustered: bool):
    cluster = np.arange(correct.shape[2]) // 2 if clustered else None
    found = estimate(mean_squares(correct, cluster))
    low, high = found.interval(0.95)
    assert (low <= found.mean + 1e-12).all() and (found.mean <= high + 1e-12).all()
    assert (found.standard_error > 0).all()
    assert np.isfinite(found.degrees_of_freedom).all()


@given(arrays)
def test_no_difference_is_zero_and_never_beyond_chance(correct: np.ndarray):
    same = np.repeat(correct[:1], 3, axis=0)
    found = estimate(mean_squares(same))
    assert (found.mean == 0).all()
    assert (found.p_up == 0.5).all() and (found.p_down == 0.5).all()


@given(arrays)
def test_more_right_answers_raise_the_delta(correct: np.ndarray):
    raised = correct.copy()
    raised[1] = np.minimum(1, raised[1] + 0.5)
    assert estimate(mean_squares(raised)).mean[0] >= estimate(mean_squares(correct)).mean[0]


@given(arrays)
def test_clusters_of_one_are_no_clusters(correct: np.ndarray):
    alone = estimate(mean_squares(correct, np.arange(correct.shape[2])))
    np.testing.assert_allclose(alone.standard_error, estimate(mean_squares(correct)).standard_error)


def test_clusters_that_move_together_widen_the_interval():
    rng = np.random.default_rng(3)
    shift = np.repeat(rng.random((2, 1, 50)) < 0.5, 4, axis=2).astype(float)
    cluster = np.repeat(np.arange(50), 4)
    together, apart = (estimate(mean_squares(shift, one)).standard_error[0] for one in (cluster, None))
    assert together == pytest.approx(2 * apart, rel=0.1)


def test_everything_in_one_cluster_counts_as_no_clusters():
    correct = np.random.default_rng(1).integers(0, 2, (2, 3, 20)).astype(float)
    assert mean_squares(correct, np.zeros(20, dtype=np.int64)).n_clusters == 20


def test_common_noise_is_zero_without_training_noise_and_found_where_it_is():
    rng = np.random.default_rng(5)
    quiet = [mean_squares((rng.random((2, 5, 2000)) < 0.4).astype(float)) for _ in range(8)]
    noisy = [
        mean_squares((rng.random((2, 5, 2000)) < 0.4 + rng.normal(0, 0.05, (2, 5, 1))).astype(float)) for _ in range(8)
    ]
    assert common_noise(quiet) < 0.002
    assert common_noise(noisy) == pytest.approx(2 * 0.05**2 / 0.24, rel=0.5)


def test_a_single_candidate_borrows_from_other_benchmarks():
    rng = np.random.default_rng(5)
    squares = [mean_squares((rng.random((2, 2, 500)) < 0.4).astype(float)) for _ in range(5)]
    alone = estimate(squares[0])
    borrowed = estimate(squares[0], noise=common_noise(squares), benchmarks=5)
    assert borrowed.degrees_of_freedom[0] > alone.degrees_of_freedom[0]


@pytest.mark.parametrize("noise", [0.3, 2.0])
def test_intervals_cover(noise: float, simulate):
    """The 95 % interval at S = 3, n = 200, K = 4 covers the true difference in at least 93 % of 1,600 cases."""
    studies = simulate(np.random.default_rng(11), 400, noise)
    bounds = [estimate(mean_squares(study)).interval(0.95) for study in studies]
    covered = np.mean([(low <= 0) & (high >= 0) for low, high in bounds])
    assert 0.93 <= covered <= 0.999


@settings(max_examples=20)
@given(st.integers(2, 8))
def test_one_seed_carries_no_seed_variance(n: int):
    correct = np.random.default_rng(n).integers(0, 2, (3, 1, n)).astype(float)
    squares = mean_squares(correct)
    assert squares.pool == 0 and (squares.seeds == 0).all() and (squares.errors == 0).all()
    half = stats.t.ppf(0.975, n + 1) * estimate(squares).standard_error
    low, high = estimate(squares).interval(0.95)
    assert (high - low <= 2 * half + 1e-12).all()

"""The estimator: worked by hand where it can be, and by what must hold of any."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from tasks.compare.deltas import Estimate, estimate, mean_squares, squares, sums

arrays = hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.25, 1.0]))
)


def textbook(correct: np.ndarray, level: float) -> tuple[float, float]:
    """Standard error and half an interval of the only candidate, written out with loops."""
    d = correct[1] - correct[0]
    s, n = d.shape
    items, seeds, mean = d.mean(axis=0), d.mean(axis=1), d.mean()
    mss = n * sum((x - mean) ** 2 for x in seeds) / (s - 1)
    residual = sum((d[j, i] - items[i] - seeds[j] + mean) ** 2 for i in range(n) for j in range(s))
    mse = residual / ((n - 1) * (s - 1))
    c = n * mean / (n + 2)
    i_square = s * max(0.0, sum(x**2 for x in items) + 1 / s - (n + 2) * c**2) / (n + 1)
    apart = max(0.0, i_square - mse)
    t_seeds, t_items = stats.t.isf(level, s - 1), stats.t.isf(level, n + 1)
    half = math.sqrt(max(t_seeds**2 * mss + t_items**2 * apart, t_items**2 * i_square) / ((n + 2) * s))
    return math.sqrt(max(mss + apart, i_square) / ((n + 2) * s)), half


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
def test_a_single_candidate_is_the_textbook(correct: np.ndarray):
    pair = correct[:2]
    found = estimate(mean_squares(pair))
    error, half = textbook(pair, 0.025)
    assert found.standard_error[0] == pytest.approx(error)
    assert found.half_width(0.025)[0] == pytest.approx(half)


@given(arrays, st.floats(0.001, 0.4))
def test_a_p_value_is_the_level_at_which_the_interval_reaches_zero(correct: np.ndarray, level: float):
    found = estimate(mean_squares(correct))
    low, high = found.centre - found.half_width(level), found.centre + found.half_width(level)
    apart = np.abs(np.minimum(np.abs(low), np.abs(high))) > 1e-9
    assert ((found.p_up < level) == (low > 0))[apart].all()
    assert ((found.p_down < level) == (high < 0))[apart].all()
    np.testing.assert_allclose(found.p_up + found.p_down, 1)


@given(arrays)
def test_a_lower_level_widens_the_interval(correct: np.ndarray):
    found = estimate(mean_squares(correct))
    assert (found.half_width(0.001) > found.half_width(0.02)).all()


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("degrees", [1, 2, 8])
def test_two_parts_cover_whichever_dominates(share: float, degrees: int):
    """Normal numbers whose variance has two parts, one of few degrees: at least 95 % inside, within two errors."""
    rng, count = np.random.default_rng(degrees), 20_000
    found = Estimate(
        mean=np.zeros(count),
        centre=rng.standard_normal(count) / 100,
        by_seeds=share * rng.chisquare(degrees, count) / degrees / 10_000,
        by_items=(1 - share) * rng.chisquare(1000, count) / 1000 / 10_000,
        least=np.zeros(count),
        degrees_seeds=degrees,
        degrees_items=1000,
        noisy=np.zeros(count, dtype=bool),
    )
    low, high = found.interval(0.95)
    assert ((low <= 0) & (high >= 0)).mean() > 0.947


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


@given(arrays, st.booleans())
def test_sums_say_all_that_the_estimator_takes(correct: np.ndarray, clustered: bool):
    """Studies stacked in front give what each gives by itself."""
    cluster = np.arange(correct.shape[2]) // 2 if clustered else None
    each = [sums(one, cluster) for one in (correct, 1 - correct)]
    stacked = dataclasses.replace(
        each[0],
        **{
            name: np.stack([getattr(one, name) for one in each])
            for name in ("accuracy", "answers", "items", "clusters", "weighted")
        },
    )
    both = estimate(squares(stacked))
    for row, one in enumerate((correct, 1 - correct)):
        alone = estimate(mean_squares(one, cluster))
        np.testing.assert_allclose(both.half_width(0.025)[row], alone.half_width(0.025))
        np.testing.assert_allclose(both.p_up[row], alone.p_up)


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
    assert (squares.pool == 0).all() and (squares.seeds == 0).all() and (squares.errors == 0).all()
    half = stats.t.ppf(0.975, n + 1) * estimate(squares).standard_error
    low, high = estimate(squares).interval(0.95)
    assert (high - low <= 2 * half + 1e-12).all()

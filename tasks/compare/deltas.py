"""The difference of two arms on one benchmark, and how sure it is: items and training seeds both vary, both are paired.

D[i,s] is the candidate's score minus the control's on item i of n at seed s of S. K candidates share one control. With
item means d_i, seed means D_s, grand mean D and two-way mean squares MSI, MSS, MSE:

::

    n2 = n + 2,  c = n D / n2                                    two pseudo-items that disagree in opposite ways
    I  = S max(0, sum d_i^2 + 1/S - n2 c^2) / (n2 - 1)           items
    E  = MSE                                                     items x seeds: answers that flip
    Pool = 2 n sum r^2 / v,  v = K (S - 1),  P = max(Pool, MSS)  seeds; r: arm x seed residuals of accuracy
    half(a)^2 = max(t_v(a)^2 P + t_{n2-1}(a)^2 max(0, I - E), t_{n2-1}(a)^2 I) / (n2 S)
    interval: c -+ half(a), a = (1 - confidence) / 2;  the one-sided p-value is the a at which half(a) = |c|
    se^2 = max(P + max(0, I - E), I) / (n2 S)

The variance of D is what seeds and flips add, estimated by P, plus what items add, estimated by I - E. Each part has
its own t, so nothing is to be guessed about degrees of freedom of the sum. That the interval covers at every level
follows from the concavity of the chi-square distribution F of one degree: with true shares w of the variance,
Pr(inside) = E F(sum w_j t_j^2 chi_j^2/v_j) >= sum w_j E F(t_j^2 chi_j^2/v_j) = 1 - 2 a, whichever part dominates
(Banerjee, 1960). Satterthwaite's single t does not: one candidate of two or three seeds it covers in 89 or 93 %, where
training noise is the larger part. Nothing is borrowed from other benchmarks: one seed's luck may lift them all alike.

Clusters: squares and products are summed within a cluster, I = (S/n2) H/(H-1) [sum_g (sum_{i in g} (d_i - c))^2 +
1/S + 2 c^2] with H = G + 2 groups, which for clusters of one is the I above; G - 1 degrees of freedom.

Sources: Banerjee, On confidence interval for two-means problem based on separate estimates of variances and tabulated
values of t-table, Sankhya 22 (1960); Miller, arXiv:2411.00640 (paired and clustered errors); Agresti and Min's two
pseudo-pairs for differences of paired proportions. ``tests/benchmarks/interval_coverage.py`` prints how often the
interval covers. Everything in here is in shares of 1, not in points.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tasks.compare.pairing import Floats

#: p-values below are not told apart, and halvings that find one to 12 digits.
_LEAST_P, _HALVINGS = 1e-300, 50


@dataclass(frozen=True)
class Sums:
    """All that the estimator takes from one benchmark's answers; arrays may have further dimensions in front.

    Attributes:
        accuracy: shape (..., arms, seeds), 0 to 1; the control is arm 0. The others have shape (..., candidates).
        sizes: the sum of the clusters' squared sizes.
        answers: the sum of D[i,s]^2 over items and seeds.
        items: the sum of d_i^2 over items; `clusters` of (sum of d_i in a cluster)^2 over clusters.
        weighted: the sum of (size of a cluster) (sum of d_i in it) over clusters.
    """

    n_items: int
    n_clusters: int
    sizes: float
    accuracy: Floats
    answers: Floats
    items: Floats
    clusters: Floats
    weighted: Floats


@dataclass(frozen=True)
class Squares:
    """The mean squares of one benchmark; arrays have shape (..., candidates), or one that goes with it.

    Attributes:
        degrees_items: degrees of freedom of `items`, and `degrees_seeds` of `pool`.
        mean: the plain mean difference D.
        seeds: MSS, and `errors` MSE; zero where there is one seed.
        pool: the seed variance pooled over all arms, zero where there is one seed.
    """

    n_items: int
    n_seeds: int
    n_clusters: int
    degrees_items: float
    degrees_seeds: float
    mean: Floats
    items: Floats
    seeds: Floats
    errors: Floats
    pool: Floats


@dataclass(frozen=True)
class Estimate:
    """Differences with their uncertainty; arrays have shape (..., candidates), in shares of 1.

    Attributes:
        mean: the plain mean difference.
        centre: the middle of every interval, drawn towards zero by the pseudo-items.
        by_seeds: the variance of the mean that seeds and flips make, on `degrees_seeds`; zero where there is one seed.
        by_items: what items add to it, and `least` what they make without a seed's part, both on `degrees_items`.
        noisy: where MSS > 3 Pool: an arm varies over seeds much more than the study's arms do together. One noisy arm
            brings MSS to (K+1)/2 times Pool at most, so below six candidates it takes two that move apart.
    """

    mean: Floats
    centre: Floats
    by_seeds: Floats
    by_items: Floats
    least: Floats
    degrees_seeds: float
    degrees_items: float
    noisy: NDArray[np.bool_]

    def half_width(self, level: float | Floats) -> Floats:
        """Return half of the two-sided interval whose either side misses with the chance `level`, below a half."""
        items = special.stdtrit(self.degrees_items, level) ** 2
        seeds = special.stdtrit(self.degrees_seeds, level) ** 2 if self.degrees_seeds else 0.0
        return np.asarray(np.sqrt(np.maximum(seeds * self.by_seeds + items * self.by_items, items * self.least)))

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """Return the two-sided interval's bounds, within -1 to 1."""
        half = self.half_width((1 - confidence) / 2)
        return np.clip(self.centre - half, -1, 1), np.clip(self.centre + half, -1, 1)

    @property
    def standard_error(self) -> Floats:
        return np.asarray(np.sqrt(np.maximum(self.by_seeds + self.by_items, self.least)))

    @property
    def degrees_of_freedom(self) -> Floats:
        """Satterthwaite's, for the reader and for sums of estimates; intervals and p-values do not use them."""
        spent = self.by_items**2 / self.degrees_items
        if self.degrees_seeds:
            spent = spent + self.by_seeds**2 / self.degrees_seeds
        whole, spent = self.by_seeds + self.by_items, np.maximum(spent, np.finfo(np.float64).tiny)
        return np.asarray(np.where(whole < self.least, self.degrees_items, np.maximum(1.0, whole**2 / spent)))

    @functools.cached_property
    def p_up(self) -> Floats:
        """One-sided p-values against "not above zero"."""
        return np.asarray(np.where(self.centre > 0, self._tail, 1 - self._tail))

    @functools.cached_property
    def p_down(self) -> Floats:
        """One-sided p-values against "not below zero"."""
        return np.asarray(np.where(self.centre < 0, self._tail, 1 - self._tail))

    @functools.cached_property
    def _tail(self) -> Floats:
        """Return the level at which the interval just reaches zero, by halving its logarithm."""
        low, high = np.full_like(self.centre, np.log(_LEAST_P)), np.full_like(self.centre, np.log(0.5))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            reaches = self.half_width(np.exp(middle)) >= np.abs(self.centre)
            low, high = np.where(reaches, middle, low), np.where(reaches, high, middle)
        return np.asarray(np.exp(high))


def mean_squares(correct: Floats, cluster: NDArray[np.int64] | None = None) -> Squares:
    """Return the mean squares of every candidate against the control.

    Args:
        correct: shape (arms, seeds, items), 0 to 1; the control is arm 0. At least two items.
        cluster: shape (items,), a number from 0 for each cluster; None where items are independent. One cluster of
            everything says nothing about items and counts as none.
    """
    return squares(sums(correct, cluster))


def estimate(squares: Squares) -> Estimate:
    """Return the differences of one benchmark, or of one pooled domain, with their uncertainty."""
    n2 = squares.n_items + 2
    scale = n2 * squares.n_seeds
    one_seed, alone = squares.degrees_seeds == 0, squares.degrees_seeds == squares.n_seeds - 1
    return Estimate(
        mean=squares.mean,
        centre=squares.n_items * squares.mean / n2,
        by_seeds=np.maximum(squares.pool, squares.seeds) / scale,
        by_items=np.maximum(0.0, squares.items - squares.errors) / scale,
        least=squares.items / scale,
        degrees_seeds=squares.degrees_seeds,
        degrees_items=squares.degrees_items,
        noisy=(squares.seeds > 3 * squares.pool) & (not (one_seed or alone)),
    )


def sums(correct: Floats, cluster: NDArray[np.int64] | None = None) -> Sums:
    """Return what the estimator takes from a benchmark's answers; arguments as in `mean_squares`."""
    difference = correct[1:] - correct[:1]
    n_items = correct.shape[2]
    item_mean = difference.mean(axis=1)
    if cluster is None or cluster.max() == 0:
        cluster = np.arange(n_items)
    size = np.bincount(cluster)
    total = np.stack([np.bincount(cluster, weights=row) for row in item_mean])
    return Sums(
        n_items=n_items,
        n_clusters=len(size),
        sizes=float((size**2).sum()),
        accuracy=correct.mean(axis=2),
        answers=np.einsum("ksi,ksi->k", difference, difference),
        items=np.einsum("ki,ki->k", item_mean, item_mean),
        clusters=np.einsum("kg,kg->k", total, total),
        weighted=np.asarray(total @ size, dtype=np.float64),
    )


def squares(sums: Sums) -> Squares:
    """Return the mean squares that follow from a benchmark's sums."""
    accuracy, n_items, n_clusters = sums.accuracy, sums.n_items, sums.n_clusters
    n_arms, n_seeds = accuracy.shape[-2:]
    seed_mean = accuracy[..., 1:, :] - accuracy[..., :1, :]
    mean = seed_mean.mean(axis=-1)
    nothing = np.zeros_like(mean)
    return Squares(
        n_items=n_items,
        n_seeds=n_seeds,
        n_clusters=n_clusters,
        degrees_items=n_items + 1 if n_clusters == n_items else n_clusters - 1,
        degrees_seeds=(n_arms - 1) * (n_seeds - 1),
        mean=mean,
        items=_item_square(sums, mean, n_seeds),
        seeds=n_items * seed_mean.var(axis=-1, ddof=1) if n_seeds > 1 else nothing,
        errors=_error_square(sums, seed_mean, mean) if n_seeds > 1 else nothing,
        pool=_pooled(accuracy, n_items) if n_seeds > 1 else nothing,
    )


def _item_square(sums: Sums, mean: Floats, n_seeds: int) -> Floats:
    n2, groups = sums.n_items + 2, sums.n_clusters + 2
    centre = sums.n_items * mean / n2
    around = sums.clusters - 2 * centre * sums.weighted + centre**2 * sums.sizes
    return np.asarray(n_seeds / n2 * groups / (groups - 1) * (around + 1 / n_seeds + 2 * centre**2))


def _error_square(sums: Sums, seed_mean: Floats, mean: Floats) -> Floats:
    n_items, n_seeds = sums.n_items, seed_mean.shape[-1]
    residual = sums.answers - n_seeds * sums.items - n_items * ((seed_mean - mean[..., None]) ** 2).sum(axis=-1)
    return np.asarray(np.maximum(0.0, residual) / ((n_items - 1) * (n_seeds - 1)))


def _pooled(accuracy: Floats, n_items: int) -> Floats:
    """Return the pooled seed variance of a difference, on the scale of MSS, shape (..., 1)."""
    arms, n_seeds = accuracy.shape[-2:]
    residual = accuracy - accuracy.mean(axis=-1, keepdims=True) - accuracy.mean(axis=-2, keepdims=True)
    residual = residual + accuracy.mean(axis=(-2, -1), keepdims=True)
    return np.asarray(2 * n_items * (residual**2).sum(axis=(-2, -1))[..., None] / ((arms - 1) * (n_seeds - 1)))

"""Real answers of real systems: our interval over items against McNemar's test and a plain bootstrap."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from tasks.compare.deltas import estimate, mean_squares

SOLUTIONS = Path(__file__).parents[4] / "shared" / "data" / "gsm8k" / "model_solutions.jsonl"
SYSTEMS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")

pytestmark = pytest.mark.skipif(not SOLUTIONS.exists(), reason=f"{SOLUTIONS} is not there")


@pytest.fixture(scope="module")
def correct():
    rows = [json.loads(line) for line in SOLUTIONS.read_text("utf-8").splitlines()]
    return {name: np.array([row[name]["is_correct"] for row in rows], dtype=float) for name in SYSTEMS}


def pairs(correct, items=slice(None)):
    for left, right in itertools.combinations(SYSTEMS, 2):
        yield correct[left][items], correct[right][items]


def ours(left, right):
    return estimate(mean_squares(np.stack([left, right])[:, None, :]))


def p_value(found):
    return 2 * float(min(found.p_up[0], found.p_down[0]))


def mcnemar(left, right, exact):
    tables = pytest.importorskip("statsmodels.stats.contingency_tables", reason="statsmodels is not installed")
    table = [[int(((left == a) & (right == b)).sum()) for b in (1, 0)] for a in (1, 0)]
    return float(tables.mcnemar(table, exact=exact, correction=False).pvalue)


def test_p_values_agree_with_mcnemars_test(correct):
    """Blocks of 100 questions, where McNemar's exact test is at its coarsest: 78 tests of six pairs."""
    blocks = [slice(at, at + 100) for at in range(0, 1300, 100)]
    found = np.array(
        [
            (p_value(ours(*pair)), mcnemar(*pair, exact=True), mcnemar(*pair, exact=False))
            for block in blocks
            for pair in pairs(correct, block)
        ]
    )
    assert np.abs(found[:, 0] - found[:, 2]).max() < 0.05
    assert np.corrcoef(found[:, 0], found[:, 1])[0, 1] > 0.99
    called = found < 0.05
    assert (called[:, 0] != called[:, 1]).mean() < 0.05


def test_p_values_agree_on_all_questions(correct):
    for pair in pairs(correct):
        assert p_value(ours(*pair)) == pytest.approx(mcnemar(*pair, exact=True), abs=0.005)


def test_intervals_agree_with_the_bootstrap(correct):
    rng = np.random.default_rng(7)
    for left, right in pairs(correct):
        n = len(left)
        # The mean of a resample of -1, 0 and 1 is made of the counts of each: a multinomial draw.
        shares = [(right - left == value).mean() for value in (-1, 0, 1)]
        counts = rng.multinomial(n, shares, size=20_000)
        low, high = np.quantile((counts[:, 2] - counts[:, 0]) / n, [0.025, 0.975])
        found = ours(left, right).interval(0.95)
        assert (found[0][0], found[1][0]) == pytest.approx((low, high), abs=0.003)

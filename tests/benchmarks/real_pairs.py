"""Real systems, compared by us, by McNemar's test and by a bootstrap:  .venv/bin/python tests/benchmarks/real_pairs.py

The answers of four systems to GSM8K's 1,319 test questions (../shared/data/gsm8k/model_solutions.jsonl), all six pairs:
one seed each, so items are all the chance there is. Needs statsmodels, of the `dev` extra.
"""

import itertools
import json
import sys
from datetime import date
from pathlib import Path

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar

from flows.record import machine
from tasks.compare.deltas import estimate, mean_squares

SOLUTIONS = Path(__file__).parents[3] / "shared" / "data" / "gsm8k" / "model_solutions.jsonl"
SYSTEMS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
RESAMPLES, BLOCK = 20_000, 100


def main(correct):
    """Print the table of all questions, and how p-values agree over blocks of 100."""
    print(
        "| pair | only the first right | only the second | difference | ours, 95 % | bootstrap, 95 % | p, ours |",
        end="",
    )
    print(" McNemar | exact |\n|---|---|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(7)
    for first, second in itertools.combinations(SYSTEMS, 2):
        left, right = correct[first], correct[second]
        ours, (low, high) = estimated(left, right), bootstrap(right - left, rng)
        bounds = ours.interval(0.95)
        only = int((left > right).sum()), int((right > left).sum())
        print(f"| {first}, {second} | {only[0]} | {only[1]} | {100 * ours.mean[0]:+.2f} |", end="")
        print(
            f" {100 * bounds[0][0]:+.2f} to {100 * bounds[1][0]:+.2f} | {100 * low:+.2f} to {100 * high:+.2f} |", end=""
        )
        print(" ".join(f" {p:.2g} |" for p in (p_value(ours), tested(left, right, False), tested(left, right, True))))
    blocks = np.array([block for at in range(0, 1300, BLOCK) for block in by_block(correct, slice(at, at + BLOCK))])
    gap = np.abs(blocks[:, :1] - blocks[:, 1:])
    apart = (blocks[:, :1] < 0.05) != (blocks[:, 1:] < 0.05)
    print(f"\n{len(blocks)} tests of {BLOCK} questions each: largest difference of p from McNemar's ", end="")
    print(f"{gap[:, 0].max():.3f}, from the exact test's {gap[:, 1].max():.3f}; at 5 % they disagree in ", end="")
    print(f"{apart[:, 0].sum()} and {apart[:, 1].sum()};")
    print(f"called at 5 %: {', '.join(str(n) for n in (blocks < 0.05).sum(axis=0))} (ours, McNemar's, exact)")


def by_block(correct, items):
    for first, second in itertools.combinations(SYSTEMS, 2):
        left, right = correct[first][items], correct[second][items]
        yield p_value(estimated(left, right)), tested(left, right, False), tested(left, right, True)


def estimated(left, right):
    return estimate(mean_squares(np.stack([left, right])[:, None, :]))


def p_value(found):
    return 2 * float(min(found.p_up[0], found.p_down[0]))


def tested(left, right, exact):
    table = [[int(((left == a) & (right == b)).sum()) for b in (1, 0)] for a in (1, 0)]
    return float(mcnemar(table, exact=exact, correction=False).pvalue)


def bootstrap(difference, rng):
    drawn = rng.choice(difference, size=(RESAMPLES, len(difference))).mean(axis=1)
    return np.quantile(drawn, [0.025, 0.975])


if __name__ == "__main__":
    if not SOLUTIONS.exists():
        sys.exit(f"{SOLUTIONS} is not there")
    print(f"{date.today()}  {machine()}\n")
    rows = [json.loads(line) for line in SOLUTIONS.read_text("utf-8").splitlines()]
    main({name: np.array([row[name]["is_correct"] for row in rows], dtype=float) for name in SYSTEMS})

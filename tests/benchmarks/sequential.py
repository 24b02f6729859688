"""What looking again and again does to the error rate:  .venv/bin/python tests/benchmarks/sequential.py [STUDIES]

Studies of two primaries are looked at after some seeds, then after more, until any candidate is shown up: with the
levels that `tasks.compare.sequential` gives each look, and as if every look were the only one. The estimator is the
real one. Holm's steps over candidates x primaries show any up exactly where the smallest p-value passes the first.
"""

import sys
import time
from datetime import date

import numpy as np
from interval_coverage import together
from simulated import World, answers

from flows.record import machine
from tasks.compare.config import CompareConfig
from tasks.compare.deltas import estimate, squares, sums
from tasks.compare.sequential import level

LOOKS = {"2 to 10": tuple(range(2, 11)), "3, 5, 10": (3, 5, 10), "3, 4, 5": (3, 4, 5)}
WORLDS = [(candidates, n, noise) for candidates in (4, 1) for n in (200, 1_319) for noise in (0, 1, 2)]
GAINS = [(4, 1), (4, 2), (1, 1)]
PRIMARIES, MOST, GAIN, ALPHA = 2, 10, 4, CompareConfig().alpha


def main(studies):
    """Print the error rates, then what looking early saves."""
    print("| candidates | items | noise | looks | any false up, % | as if each look were the only one, % |")
    print("|---|---|---|---|---|---|")
    worst = 0.0
    for candidates, n, noise in WORLDS:
        found = estimated(World(n, MOST, 0.4, noise, (0,) * candidates), studies)
        for name, looks in LOOKS.items():
            spent, naive = (100 * (first(found, chosen, looks) > 0).mean() for chosen in (looks, None))
            worst = max(worst, spent)
            print(f"| {candidates} | {n:,} | {noise} | {name} | {spent:.2f} | {naive:.2f} |", flush=True)
    error = 100 * (ALPHA * (1 - ALPHA) / studies) ** 0.5
    print(f"\n{studies:,} studies a row (standard error {error:.2f}); the highest with levels is {worst:.2f} %.")
    print(f"\nThe first candidate gains {GAIN} points; 1,319 items\n")
    print("| candidates | noise | looks | shown up by the last look, % | mean seeds | all seeds, looked at once, % |")
    print("|---|---|---|---|---|---|")
    for candidates, noise in GAINS:
        found = estimated(World(1_319, MOST, 0.4, noise, (GAIN, *[0] * (candidates - 1))), studies)
        for name, looks in LOOKS.items():
            stopped, once = first(found, looks, looks), first(found, None, looks[-1:])
            seeds = np.where(stopped > 0, stopped, looks[-1]).mean()
            rates = f"{100 * (stopped > 0).mean():.0f} | {seeds:.1f} | {100 * (once > 0).mean():.0f}"
            print(f"| {candidates} | {noise} | {name} | {rates} |", flush=True)


def estimated(world, studies):
    """Return, for each number of seeds, the estimates of each primary over many studies."""
    rng = np.random.default_rng([world.n_items, world.arms, world.noise, int(sum(world.effects))])
    each = {seeds: [[] for _ in range(PRIMARIES)] for seeds in range(2, MOST + 1)}
    for _ in range(studies):
        for primary in range(PRIMARIES):
            correct = answers(world, rng)
            for seeds, made in each.items():
                made[primary].append(sums(correct[:, :seeds]))
    return {seeds: [estimate(squares(together(one))) for one in made] for seeds, made in each.items()}


def first(found, chosen, looks):
    """Return the number of seeds at which each study is first shown up; zero where it never is."""
    stopped = np.zeros(len(found[2][0].centre), dtype=int)
    for seeds in looks:
        tests = PRIMARIES * found[seeds][0].centre.shape[1]
        allowed = level(ALPHA / tests, seeds, chosen)
        up = np.any([(one.centre > one.half_width(allowed)).any(axis=1) for one in found[seeds]], axis=0)
        stopped = np.where((stopped == 0) & up, seeds, stopped)
    return stopped


if __name__ == "__main__":
    started = time.process_time()
    given = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    print(f"{date.today()}  {machine()}\n")
    main(given)
    print(f"\n{time.process_time() - started:.0f} s of one core")

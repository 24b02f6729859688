"""How often a study in which nothing changed shows a gain:  .venv/bin/python tests/benchmarks/false_calls.py [STUDIES]

Four candidates. Any false "helps" takes a primary that is shown up, and Holm shows any up exactly where the smallest
p-value passes the first step: at most alpha over candidates x primaries. Guards can only take a "helps" away, so the
verdict's rate is below these. *One luck* means that a seed lifts all benchmarks of an arm alike. Beside it: what the
same studies would claim by items alone, without Holm.
"""

import itertools
import sys
import time
from datetime import date

import numpy as np
from interval_coverage import together
from scipy import stats
from simulated import World, answers, lucky

from flows.record import machine
from tasks.compare.config import CompareConfig
from tasks.compare.deltas import estimate, squares, sums

CONFIG, CANDIDATES, ACCURACY = CompareConfig(), 4, 0.4
SETTINGS = list(itertools.product((2, 3, 5, 10), (200, 1_319), (0, 1, 2)))


def main(studies):
    """Print a row a setting."""
    print("| seeds | items | noise | 4 primaries | one luck | 1 primary | items only, 4 primaries |")
    print("|---|---|---|---|---|---|---|")
    worst = 0.0
    for seeds, n, noise in SETTINGS:
        world = World(n, seeds, ACCURACY, noise)
        apart, alike = found(world, 4, studies, False), found(world, 4, studies, True)
        rates = called(apart), called(alike), called(apart[:1]), 100 * by_items(apart).mean()
        worst = max(worst, *rates[:3])
        print(f"| {seeds} | {n:,} | {noise} | {' | '.join(f'{rate:.2f}' for rate in rates)} |", flush=True)
    error = 100 * (CONFIG.alpha * (1 - CONFIG.alpha) / studies) ** 0.5
    print(
        f"\nAny false gain, in % of {studies:,} studies a row (standard error {error:.2f}); the highest is {worst:.2f}."
    )


def found(world, primaries, studies, alike):
    """Return the sums of each primary over many studies."""
    rng, each = np.random.default_rng([world.n_items, world.seeds, round(world.noise), alike]), []
    for _ in range(studies):
        luck = lucky(world, rng) if alike else None
        each.append([sums(answers(world, rng, luck)) for _ in range(primaries)])
    return [together(list(one)) for one in zip(*each, strict=True)]


def called(primaries):
    """Return in what share of the studies any candidate is shown up on any primary, in percent."""
    level = CONFIG.alpha / (len(primaries) * CANDIDATES)
    estimates = [estimate(squares(one)) for one in primaries]
    up = [(one.centre > one.half_width(level)).any(axis=1) for one in estimates]
    return 100 * np.any(up, axis=0).mean()


def by_items(primaries):
    """Whether a z over items, each candidate by itself at 2.5 % one-sided, would show any up."""
    return np.any([(z(one) > stats.norm.isf(CONFIG.alpha)).any(axis=1) for one in primaries], axis=0)


def z(one):
    mean = (one.accuracy[:, 1:] - one.accuracy[:, :1]).mean(axis=2)
    return mean / np.sqrt((one.items / one.n_items - mean**2) / one.n_items)


if __name__ == "__main__":
    started = time.process_time()
    given = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
    print(f"{date.today()}  {machine()}\n")
    main(given)
    print(f"\n{time.process_time() - started:.0f} s of one core")

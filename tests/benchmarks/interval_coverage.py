"""How often the 95 % interval holds the true difference.

    .venv/bin/python tests/benchmarks/interval_coverage.py [STUDIES]

Every cell is a number of simulated studies in which candidates and control do not differ (`simulated.World`): up to
1,319 items are answered one by one, of more the sums are drawn. A cell whose coverage comes out close to the promise,
or beyond it, is simulated five times as long. Prints a Markdown table with all cells, those that break the promise in
bold, and what happens where the estimator's assumptions do not hold.
"""

import dataclasses
import itertools
import sys
import time
from datetime import date

import numpy as np
from scipy import special
from simulated import World, answers, clusters, lucky, study_sums

from flows.record import machine
from tasks.compare.deltas import estimate, squares, sums

SEEDS, ITEMS = (2, 3, 5, 10), (30, 200, 1_319, 5_000, 14_000)
ACCURACIES, NOISES, ONE_BY_ONE = (0.05, 0.3, 0.8), (0, 0.3, 1, 2), 1_319
LEAST, MOST, CONFIDENCE = 94.0, 98.0, 0.95
UNSURE, LONGER = (94.5, 97.5), 5


def main(studies):
    """Print a table for four candidates and one for a single candidate, then how well the promise is kept."""
    kept = []
    for candidates in (4, 1):
        print(f"\n{candidates} candidate{'s' * (candidates > 1)}: coverage in % at accuracies of 5, 30 and 80 %\n")
        noises = "".join(f" noise {noise} |" for noise in NOISES)
        print(f"| seeds | items | clustered |{noises} half-width at 30 %, in points |")
        print("|---" * (len(NOISES) + 4) + "|")
        for seeds, n, clustered in itertools.product(SEEDS, ITEMS, (False, True)):
            worlds = [
                [World(n, seeds, share, noise, (0,) * candidates, clustered) for share in ACCURACIES]
                for noise in NOISES
            ]
            found = [[(world, *cell(world, studies)) for world in row] for row in worlds]
            kept += [(world, covered) for row in found for world, covered, _ in row]
            cells = (" ".join(shown(world, covered) for world, covered, _ in row) for row in found)
            halves = ", ".join(f"{row[ACCURACIES.index(0.3)][2]:.1f}" for row in found)
            print(f"| {seeds} | {n:,} | {'yes' if clustered else 'no'} | {' | '.join(cells)} | {halves} |", flush=True)
    missed = sum(misses(*one) for one in kept)
    lowest, highest = min(covered for _, covered in kept), max(covered for world, covered in kept if bounded(world))
    print(
        f"\n{missed} of {len(kept):,} cells break the promise. The lowest coverage is {lowest:.1f} %, the highest with"
    )
    print(f"five seeds or more and 300 items or more {highest:.1f} %.")


def beyond(studies):
    """Print coverage where something else is true than the estimator takes for granted, and whether drawn sums do."""
    print("\nFour candidates, 1,319 items, accuracy 30 %, noise of 1 point\n")
    print("| what differs | seeds | the first candidate, % | the other three, % |\n|---|---|---|---|")
    for seeds in SEEDS:
        plain = World(1_319, seeds, 0.3, 1.0)
        gain = dataclasses.replace(plain, effects=(5, 5, 5, 5))
        for name, world, noisy in (
            ("nothing", plain, 1),
            ("all candidates gain 5 points", gain, 1),
            ("the first trains with twice the noise", plain, np.array([1, 2, 1, 1, 1])[:, None]),
            ("the first trains with three times the noise", plain, np.array([1, 3, 1, 1, 1])[:, None]),
        ):
            each = coverage(world, studies, noisy)[1]
            print(f"| {name} | {seeds} | {each[0]:.1f} | {each[1:].mean():.1f} |", flush=True)
    print("\n| four candidates, 5,000 clustered items, accuracy 5 %, no noise | sums drawn, % | one by one, % |")
    print("|---|---|---|")
    for seeds in SEEDS:
        world = World(5_000, seeds, 0.05, 0, clustered=True)
        drawn, answered = (coverage(world, studies, one_by_one=flag)[0] for flag in (False, True))
        print(f"| {seeds} seeds | {drawn:.1f} | {answered:.1f} |", flush=True)


def others(studies):
    """Print how often simpler intervals hold the true difference, on the same studies."""
    print("\n5,000 items, accuracy 30 %, noise of 1 point\n")
    print(
        "| candidates | seeds | ours, % | one t, Satterthwaite's degrees, % | items alone, % |\n|---|---|---|---|---|"
    )
    for candidates, seeds in itertools.product((4, 1), SEEDS):
        world = World(5_000, seeds, 0.3, 1.0, (0,) * candidates)
        summed, truth = study_sums(world, LONGER * studies, np.random.default_rng([candidates, seeds]))
        found = estimate(squares(summed))
        single = special.stdtrit(found.degrees_of_freedom, 0.5 + CONFIDENCE / 2) * found.standard_error
        alone = special.stdtrit(found.degrees_items, 0.5 + CONFIDENCE / 2) * np.sqrt(found.least)
        halves = found.half_width((1 - CONFIDENCE) / 2), single, alone
        rates = (100 * (np.abs(found.centre - truth) <= half).mean() for half in halves)
        print(f"| {candidates} | {seeds} | {' | '.join(f'{rate:.1f}' for rate in rates)} |", flush=True)


def cell(world, studies):
    """Return the coverage in percent and the mean half-width in points, looked at longer where it is in doubt."""
    first = coverage(world, studies)
    if UNSURE[0] <= first[0] and (first[0] <= UNSURE[1] or not bounded(world)):
        return first[0], first[2]
    again = coverage(world, LONGER * studies, seed=1)
    return again[0], again[2]


def coverage(world, studies, noisy=1, seed=0, one_by_one=False):
    """Return coverage in percent, over all candidates and of each, and the median half-width in points."""
    setting = [world.n_items, world.seeds, world.arms, 1_000 * world.accuracy, 10 * world.noise, world.clustered, seed]
    rng = np.random.default_rng([round(number) for number in setting])
    if world.n_items > ONE_BY_ONE and not one_by_one:
        summed, truth = study_sums(world, LONGER * studies, rng)
    else:
        cluster = clusters(world.n_items) if world.clustered else None
        lucks = (noisy * lucky(world, rng) for _ in range(studies))
        summed = together([sums(answers(world, rng, luck), cluster) for luck in lucks])
        truth = np.array(world.effects) / 100
    low, high = estimate(squares(summed)).interval(CONFIDENCE)
    inside = (low <= truth) & (truth <= high)
    return 100 * inside.mean(), 100 * inside.mean(axis=0), 50 * float(np.median(high - low))


def together(each):
    """Return studies as one, stacked in front."""
    names = ("accuracy", "answers", "items", "clusters", "weighted")
    stacked = {name: np.stack([getattr(one, name) for one in each]) for name in names}
    return dataclasses.replace(each[0], **stacked)


def misses(world, covered):
    return covered < LEAST or (covered > MOST and bounded(world))


def bounded(world):
    """Whether the promise also says that the interval is not too wide."""
    return world.seeds >= 5 and world.n_items >= 300


def shown(world, covered):
    return f"**{covered:.1f}**" if misses(world, covered) else f"{covered:.1f}"


if __name__ == "__main__":
    started = time.process_time()
    given = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    print(f"{date.today()}  {machine()}; {given:,} studies a cell, {LONGER * given:,} where in doubt")
    main(given)
    beyond(given)
    others(given)
    print(f"\n{time.process_time() - started:.0f} s of one core")

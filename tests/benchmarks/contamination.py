"""How often a leak is called by its name, and an honest gain is not:
.venv/bin/python tests/benchmarks/contamination.py [STUDIES]

Simulated studies (`simulated.World`: 1,319 items, 4 candidates, 5 seeds, training noise of 1 point) in which one
candidate's rows match a share of the items. What it gained is one of: the same on all items, matched by lot; the same
on all, where easy items are matched more often; matched items alone, half of which it knows by heart; both. Prints the
verdicts on that candidate, in percent of studies.
"""

import sys
import time
from datetime import date

import numpy as np
from simulated import World, answers

from flows.record import machine
from tasks.compare.conditioned import condition
from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.findings import find
from tasks.compare.pairing import Paired
from tasks.compare.ruling import Case, Setting, rule

FACTS, CONFIG = [BenchmarkFacts(name="math", domain="math", metric="accuracy")], CompareConfig()
ARMS, SHARES, KNOWN = ("control", "a", "b", "c", "d"), (0.05, 0.2, 0.5, 0.9), 0.5
VERDICTS = ("helps", "contaminated", "inconclusive")


def main(studies):
    """Print a table of verdicts."""
    print("| gain | matched items | helps | contaminated | inconclusive | other |\n|---|---|---|---|---|---|")
    for name, effect, by_heart, easy in (
        ("5 points on all items, matched by lot", 5, False, False),
        ("5 points on all items, easy ones matched more often", 5, False, True),
        ("matched items alone, half of them by heart", 0, True, False),
        ("5 points on all, half of the matched ones by heart", 5, True, False),
        ("none", 0, False, False),
    ):
        for share in SHARES:
            drawn = [study(np.random.default_rng([s, 11]), share, effect, by_heart, easy) for s in range(studies)]
            found = [verdict(correct, matched) for correct, matched in drawn]
            counts = [100 * found.count(one) / studies for one in VERDICTS]
            cells = " | ".join(f"{count:.1f}" for count in (*counts, 100 - sum(counts)))
            mean = 100 * np.mean([matched.mean() for _, matched in drawn])
            print(f"| {name} | {mean:.0f} % | {cells} |", flush=True)


def study(rng, share, effect, by_heart, easy):
    """Return one study's answers, and which items the rows of candidate a match."""
    world = World(1_319, 5, 0.3, 1.0, (effect, 0, 0, 0))
    correct = answers(world, rng)
    # How many of the others know an item says how easy it is; the candidate's own answers would say what it gained.
    weight = 0.2 + correct[[0, 2, 3, 4]].mean(axis=(0, 1)) if easy else np.ones(world.n_items)
    matched = rng.random(world.n_items) < share * weight / weight.mean()
    if by_heart:
        correct[1][:, matched & (rng.random(world.n_items) < KNOWN)] = 1
    return correct, matched


def verdict(correct, matched):
    """Return the verdict on candidate a of one study."""
    items = np.arange(len(matched))
    pair = Paired(
        benchmark="math", arms=ARMS, seeds=(1, 2, 3, 4, 5), correct=correct, cluster=items, truncated=np.zeros(5),
        bits_per_byte=np.full(5, np.nan), items=items.astype(str).astype(object),
    )  # fmt: skip
    overlaps = {("math", item): float(hit) for item, hit in zip(pair.items, matched, strict=True)}
    evidence = find([pair], FACTS, CONFIG)[0]
    conditioned = condition([pair], 0, overlaps, evidence.deltas, FACTS, CONFIG)
    case = Case(evidence, evidence, conditioned=conditioned)
    return rule(case, Setting(5, 4, borrowing=True, config=CONFIG)).verdict


if __name__ == "__main__":
    started = time.monotonic()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
    print(f"\n{machine()}, {date.today()}, {time.monotonic() - started:.0f} s")

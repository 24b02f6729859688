"""The chance to see an effect, as planned and as simulated:  .venv/bin/python tests/benchmarks/power.py [STUDIES]

Four primaries and three guards, of sizes between 164 and 5,000 items; the first candidate gains on all primaries,
the others on none. *Planned* is what `tasks.compare.power.plan` says, told the true spreads; *simulated* is how often
the same happens in studies of made-up answers, judged by the rule itself: `tasks.compare.findings.find`.
"""

import sys
import time
from datetime import date

import numpy as np
from simulated import World, answers, clusters

from flows.record import machine
from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.deltas import mean_squares
from tasks.compare.findings import find
from tasks.compare.pairing import Paired
from tasks.compare.power import plan, planned
from tasks.core.results import TrainingNoise

#: name: domain, items, clustered, accuracy
BENCHMARKS = {
    "large": ("math", 5_000, False, 0.4),
    "middle": ("math", 1_319, False, 0.7),
    "clusters": ("math", 2_209, True, 0.5),
    "small": ("math", 200, False, 0.3),
    "guard": ("knowledge", 5_000, False, 0.5),
    "alarm": ("coding", 164, False, 0.4),
    "second alarm": ("coding", 257, False, 0.4),
}
FACTS = [BenchmarkFacts(name=name, domain=one[0], metric="accuracy") for name, one in BENCHMARKS.items()]
PRIMARIES = [fact.name for fact in FACTS if fact.domain == "math"]
CONFIG = CompareConfig(domain_margins={"coding": 6})
#: seeds, candidates, noise, effect
SETTINGS = [
    (3, 4, 0.5, 2),
    (3, 4, 1, 2),
    (3, 4, 1, 4),
    (5, 4, 1, 2),
    (5, 4, 2, 4),
    (3, 1, 1, 4),
    (5, 1, 1, 2),
    (10, 1, 1, 2),
]
#: Items of a world that is looked at for its spreads, and how often training is.
_ITEMS, _LUCKS = 2_000, 100


def main(studies):
    """Print a table a chance."""
    print("| seeds | candidates | noise | effect | " + " | ".join(PRIMARIES) + " | any primary | unharmed |")
    print("|---" * (6 + len(PRIMARIES)) + "|")
    gaps = []
    for setting in SETTINGS:
        both = expected(*setting), simulated(*setting, studies)
        gaps += [abs(one - other) for one, other in zip(*both, strict=True)]
        cells = " | ".join(f"{one:.0f}, {other:.0f}" for one, other in zip(*both, strict=True))
        print(f"| {' | '.join(map(str, setting))} | {cells} |", flush=True)
    print(f"\nPlanned, simulated, in %; {studies:,} studies a row. The largest gap is {max(gaps):.1f} points, the mean")
    print(f"{np.mean(gaps):.1f}; simulation alone makes about {50 / studies**0.5:.1f}.")


def expected(seeds, candidates, noise, effect):
    """Return the planned chances, in percent: each primary, any primary, unharmed."""
    told = [truly(fact, seeds, noise, effect if fact.domain == "math" else 0) for fact in FACTS]
    assumed = TrainingNoise(points=noise, source="the simulation")
    effects = dict.fromkeys(PRIMARIES, float(effect))
    made = plan(told, seeds=seeds, candidates=candidates, noise=assumed, config=CONFIG, effect=effects)
    once = made.chances[1]
    return [100 * chance for chance in (*once.by_benchmark.values(), once.any_primary, once.unharmed)]


def truly(fact, seeds, noise, effect):
    """Return a benchmark with the spreads that its world has, as found on many items trained with many lucks."""
    _, n, clustered, accuracy = BENCHMARKS[fact.name]
    rng, cluster = np.random.default_rng(1), clusters(_ITEMS) if clustered else None
    world = World(_ITEMS, seeds, accuracy, noise, (effect,), clustered)
    made = [answers(world, rng) for _ in range(_LUCKS)]
    alone, together = ([mean_squares(correct, one) for correct in made] for one in (None, cluster))
    items, flips = (float(np.mean([getattr(one, name)[0] for one in alone])) for name in ("items", "errors"))
    n_clusters = int(clusters(n)[-1]) + 1 if clustered else None
    told = {
        "item_sd": 100 * (items / seeds) ** 0.5,
        "flip_sd": 100 * flips**0.5,
        "design_effect": max(1.0, float(np.mean([one.items[0] for one in together])) / items),
    }
    return planned(fact, n, seeds, CONFIG, n_clusters=n_clusters).model_copy(update=told)


def simulated(seeds, candidates, noise, effect, studies):
    rng, seen, free = np.random.default_rng([seeds, candidates, 2 * effect]), np.zeros(len(PRIMARIES) + 1), 0
    for _ in range(studies):
        pairs = [study(fact.name, seeds, candidates, noise, effect, rng) for fact in FACTS]
        first = find(pairs, FACTS, CONFIG)[0]
        findings = {delta.benchmark: delta.finding for delta in first.deltas}
        up = [findings[name] == "up" for name in PRIMARIES]
        seen += [*up, any(up)]
        guarded = all(findings[fact.name] is None for fact in FACTS if fact.name not in PRIMARIES)
        free += guarded and all(domain.within_margin for domain in first.domains)
    return [*(100 * seen / studies), 100 * free / studies]


def study(name, seeds, candidates, noise, effect, rng):
    domain, n, clustered, accuracy = BENCHMARKS[name]
    gains = [effect if domain == "math" else 0, *[0] * (candidates - 1)]
    return Paired(
        benchmark=name,
        arms=tuple(f"arm{number}" for number in range(candidates + 1)),
        seeds=tuple(range(seeds)),
        correct=answers(World(n, seeds, accuracy, noise, gains, clustered), rng),
        cluster=clusters(n) if clustered else np.arange(n),
        truncated=np.zeros(candidates + 1),
        bits_per_byte=np.full(candidates + 1, np.nan),
    )


if __name__ == "__main__":
    started = time.process_time()
    given = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    print(f"{date.today()}  {machine()}\n")
    main(given)
    print(f"\n{time.process_time() - started:.0f} s of one core")

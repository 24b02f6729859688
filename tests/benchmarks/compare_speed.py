"""What comparing a large study costs:  .venv/bin/python tests/benchmarks/compare_speed.py

13 benchmarks of 14,000 items, five seeds, four candidates: 4.5 million scores. *Pairing* lines the items of all tables
up by name and checks them; *estimating* is every delta, domain and finding; *comparing* is both and the verdicts.
"""

import time
from datetime import date

import numpy as np

from flows.record import machine
from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.findings import find
from tasks.compare.pairing import Scores, pair
from tasks.compare.task import compare_tables

ARMS, SEEDS, ITEMS = ("control", "a", "b", "c", "d"), range(1, 6), 14_000
DOMAINS = {f"b{number:02}": ("math", "knowledge", "reasoning", "coding")[number % 4] for number in range(13)}


def main():
    """Print seconds, wall clock and processor."""
    for order in ("one order for all tables, as `evaluate` publishes them", "an order of each table's own"):
        print(order)
        measure(own_order=order.startswith("an"))


def measure(own_order):
    rng, config = np.random.default_rng(0), CompareConfig()
    keys = [(arm, seed, name) for name in DOMAINS for arm in ARMS for seed in SEEDS]
    tables = {key: table(key[2], rng, rng.permutation(ITEMS) if own_order else np.arange(ITEMS)) for key in keys}
    facts = [BenchmarkFacts(name=name, domain=domain, metric="accuracy") for name, domain in DOMAINS.items()]
    pairs = timed("pairing", lambda: pair(tables, "control"))
    timed("estimating", lambda: find(pairs, facts, config))
    timed("comparing", lambda: compare_tables(tables, facts, "control", config))


def table(benchmark, rng, order):
    """Return one table of scores."""
    return Scores(
        benchmark=[benchmark] * ITEMS,
        item=[f"{benchmark}-{place:05}" for place in order],
        cluster=[None] * ITEMS,
        prompt=[f"{place:064x}" for place in order],
        correct=(rng.random(ITEMS) < 0.4).astype(float),
        truncated=np.zeros(ITEMS),
        bits=np.full(ITEMS, np.nan),
        bytes=np.full(ITEMS, np.nan),
    )


def timed(what, work):
    wall, processor = time.perf_counter(), time.process_time()
    done = work()
    print(f"{what:11} {time.perf_counter() - wall:5.2f} s, of processor {time.process_time() - processor:5.2f} s")
    return done


if __name__ == "__main__":
    print(f"{date.today()}  {machine()}; other work shared the machine\n")
    main()

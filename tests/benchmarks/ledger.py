"""How long the ledger of a large study takes, and how much memory: 14,000 items, by the rows of the candidate.

    .venv/bin/python tests/benchmarks/ledger.py

Questions and rows are drawn from one vocabulary of 30,000 words, 40 words each, word frequencies as Zipf has them; 3
seeds. Each size is measured in a process of its own; importing the engine is in it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tasks.core.identity import Identity
from tasks.core.rows import ITEMS, RECORDS, SCORES, write_rows
from tasks.core.store import Store
from tasks.ledger.artifact import read_ledger
from tasks.ledger.config import LedgerConfig, SeedScores, Texts
from tasks.ledger.task import write_ledger
from tasks.retrieve.config import NearestConfig, RetrieveRuntime
from tasks.retrieve.task import nearest

ITEM_COUNT, SEEDS, WORDS, LENGTH = 14_000, 3, 30_000, 40
SIZES = (2_000, 20_000, 100_000)


def measure(rows: int) -> str:
    """Return a row of the table for a candidate of so many rows."""
    rng = np.random.default_rng(0)
    chance = 1 / np.arange(1, WORDS + 1)
    draw = lambda count: rng.choice(WORDS, (count, LENGTH), p=chance / chance.sum())  # noqa: E731
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))

        def made(name: str, table, columns):
            return store.produce(
                Identity.of("given", 1, {"name": name}, {}), lambda draft: write_rows(draft.folder, table, columns)
            )

        names = [f"big_{number % 50}/{number}-{number:012x}" for number in range(ITEM_COUNT)]
        texts = (" ".join(f"w{word}" for word in line) for line in draw(ITEM_COUNT))
        items = made(
            "items",
            ({"benchmark": "big", "item": name, "text": text} for name, text in zip(names, texts, strict=True)),
            ITEMS,
        )
        said = (" ".join(f"w{word}" for word in line) for line in draw(rows))
        records = made(
            "records",
            (
                {"row_id": f"r{number}", "source": "new", "origin": "f:1", "text": text, "messages": None}
                for number, text in enumerate(said)
            ),
            RECORDS,
        )
        scores = [
            SeedScores(
                benchmark="big",
                seed=seed,
                control=made(f"c{seed}", answers(names, rng.random(ITEM_COUNT) < 0.4), SCORES),
                candidate=made(f"n{seed}", answers(names, rng.random(ITEM_COUNT) < 0.5), SCORES),
            )
            for seed in range(SEEDS)
        ]
        started = time.perf_counter()
        near = nearest.fn("new", NearestConfig(), records, items, store.root, RetrieveRuntime(threads=1))
        found = time.perf_counter()
        known = Texts(records=records, items=items, nearest=near)
        ledger = read_ledger(store, write_ledger.fn("new", LedgerConfig(primary=("big",)), scores, known, store.root))
        ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = f"{found - started:.1f} | {ended - found:.1f}"
    return f"| {rows:,} | {seconds} | {peak:.2f} | {ledger.fixed:,} | {ledger.broken:,} |"


def answers(names: list[str], right: np.ndarray):
    """Yield the scores of one model."""
    for name, correct in zip(names, right, strict=True):
        yield {
            "benchmark": "big", "item": name, "cluster": name, "correct": float(correct), "truncated": False,
            "bits": None, "bytes": None, "prompt": "p", "prediction": "some steps. #### 7", "gold": "#### 7",
        }  # fmt: skip


def main() -> None:
    """Print a table, a size a row."""
    print("| rows | nearest rows, s | ledger, s | peak memory, GiB | fixed | broken |")
    print("|--:|--:|--:|--:|--:|--:|")
    for rows in SIZES:
        again = [sys.executable, "-P", __file__, str(rows)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        print(subprocess.run(again, env=environment, capture_output=True, text=True, check=True).stdout.strip())


if __name__ == "__main__":
    print(measure(int(sys.argv[1]))) if len(sys.argv) > 1 else main()

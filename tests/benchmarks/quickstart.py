"""What the quick start costs, after `make demo`:  .venv/bin/python tests/benchmarks/quickstart.py [STORE]

Prints seconds by stage from the manifests, packing efficiency from the packs, and how long a second run takes that has
nothing to do, once with Prefect's start in it and once without.
"""

import os
import subprocess
import sys
import time
from collections import defaultdict
from datetime import date
from pathlib import Path

from flows.record import latest, machine, read_record
from tasks.core.store import Store
from tasks.mix.artifact import read_size

ASSAY = Path(sys.executable).parent / "assay"
TIMED = """
import time
from flows.cli import _engine_defaults
_engine_defaults()
from pathlib import Path
from prefect import flow
from flows.assess import assess
from flows.study import Runtime, load_study
flow(lambda: None, name="warm-up")()  # Prefect is up
started = time.monotonic()
assess(load_study(Path("demo/study.yaml")), Runtime(store=Path("{store}")))
print(time.monotonic() - started)
"""


def main(root: Path) -> None:
    store = Store(root)
    record = read_record(store, latest(store, "demo").record)
    print(f"{date.today()}  {machine()}")

    seconds, count = defaultdict(float), defaultdict(int)
    for _, manifest in store.manifests():
        seconds[manifest.identity.stage] += manifest.seconds
        count[manifest.identity.stage] += 1
    print("\nseconds in each stage, summed over artifacts (anneals run two at a time)")
    for stage in sorted(seconds, key=seconds.get, reverse=True):
        print(f"  {stage:10} {seconds[stage]:8.1f} s  {count[stage]:3} artifacts")

    print("\npositions used by each source's pack")
    for name, pack in record.packs.items():
        size = read_size(store, pack)
        print(f"  {name:18} {size.tokens / size.sequences / record.study.anneal.sequence_length:7.2%}")

    print("\ntokens a second of each anneal, the median")
    rates = [store.manifest(run.model).provenance for run in record.runs]
    speeds = sorted(found["tokens"] / found["training_seconds"] for found in rates)
    low, middle, high = speeds[0], speeds[len(speeds) // 2], speeds[-1]
    print(f"  {middle:,.0f} tokens/s, from {low:,.0f} to {high:,.0f} over {len(speeds)} anneals")

    started = time.monotonic()
    subprocess.run([ASSAY, "run", "demo/study.yaml", "--store", root, "--json"], check=True, stdout=subprocess.DEVNULL)
    print(f"\na second run, whole command: {time.monotonic() - started:.1f} s")
    code = TIMED.format(store=root)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ)
    print(f"a second run, once Prefect is up: {float(done.stdout.split()[-1]):.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "store"))

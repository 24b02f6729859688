"""What deduplicating costs and what it finds:  .venv/bin/python tests/benchmarks/dedup.py [ROWS ...]

Side by side over the same generated rows and the same shingles, each in a process of its own: the stage with rensa,
the stage with datasketch's MinHash in its place, and plain datasketch (MinHash and MinHashLSH row by row, candidates
verified with Python sets, union-find). A fifth of the rows are earlier ones with up to four words changed, a hundredth
are one boilerplate row. Then, at the smallest size, pairs and clusters against exact Jaccard of all with all.

Rates are of CPU seconds, since other work may share the machine. At a million rows plain datasketch takes over ten
gigabytes and most of an hour.
"""

import argparse
import importlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np

from flows.record import machine
from tasks.core.rows import RECORDS, read_rows, write_rows
from tasks.core.store import Draft
from tasks.dedup import task
from tasks.dedup.config import FOR_QUESTIONS
from tasks.dedup.key import key_text
from tasks.dedup.sets import shingles

_SYLLABLES = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "pel", "dar")
VOCABULARY = [a + b + c for a in _SYLLABLES for b in _SYLLABLES for c in _SYLLABLES]


def problems(count):
    """Yield the texts of `count` problems of 20 to 60 words and numbers; the same ones each time."""
    draw, pool = random.Random(0), []
    for number in range(count):
        kind = draw.random()
        if kind < 0.01:
            words = ["the", "same", "page", "was", "not", "found", "on", "this", "server"]
        elif kind < 0.21 and pool:
            words = list(draw.choice(pool))
            for _ in range(draw.randint(0, 4)):
                words[draw.randrange(len(words))] = draw.choice(VOCABULARY)
        else:
            words = [
                draw.choice(VOCABULARY) if draw.random() < 0.9 else str(draw.randint(2, 99))
                for _ in range(draw.randint(20, 60))
            ]
            if len(pool) < 100_000:
                pool.append(words)
        yield number, " ".join(words)


class Datasketch:
    """datasketch's MinHash behind the stage's protocol."""

    def __init__(self, permutations, seed):
        self.permutations, self.seed = permutations, seed

    def signatures(self, hashes, offsets):
        from datasketch import MinHash

        sketches = []
        for start, stop in pairwise(offsets.tolist()):
            sketch = MinHash(self.permutations, seed=self.seed + 1)
            sketch.update_batch([value.tobytes() for value in hashes[start:stop]])
            sketches.append(sketch.hashvalues.astype(np.uint64))
        return np.array(sketches)


def stage(folder, hasher=None):
    """Run the whole stage, from Parquet to Parquet; return the cluster of each row by the row it is dropped for."""
    if hasher is not None:
        task.RensaMinHasher = hasher
    with tempfile.TemporaryDirectory() as scratch:
        draft = Draft(folder=Path(scratch) / "out", scratch=Path(scratch))
        task.write_kept("benchmark", FOR_QUESTIONS, [folder], draft)
        kept = {row["row_id"]: row["detail"].split()[1].rstrip(",") for row in read_rows(draft.folder / "dropped")}
    return kept


def plain(folder):
    """Deduplicate with datasketch as its own guide does, row by row; return what `stage` returns."""
    from datasketch import MinHash, MinHashLSH

    config = FOR_QUESTIONS
    lsh = MinHashLSH(num_perm=config.permutations, params=(config.bands, config.rows))
    sets, parent = {}, {}

    def root(one):
        while parent[one] != one:
            parent[one] = one = parent[parent[one]]
        return one

    for row in read_rows(folder, RECORDS):
        members, name = shingles(key_text(row, config.key), config), row["row_id"]
        sketch = MinHash(config.permutations, seed=1)
        sketch.update_batch([value.tobytes() for value in members])
        sets[name], parent[name] = set(members.tolist()), name
        for other in lsh.query(sketch):
            if len(sets[name] & sets[other]) >= config.threshold * len(sets[name] | sets[other]):
                low, high = sorted((root(name), root(other)))
                parent[high] = low
        lsh.insert(name, sketch, check_duplication=False)
    return {name: root(name) for name in parent if root(name) != name}


SYSTEMS = {
    "stage, rensa": stage,
    "stage, datasketch": lambda folder: stage(folder, Datasketch),
    "plain datasketch": plain,
}


def measure(system, folder):
    """Run one system over the rows in `folder`; print what it cost and found, as JSON."""
    for engine in ("pyarrow.parquet", "scipy.sparse.csgraph", "rensa", "datasketch"):
        importlib.import_module(engine)  # its import is not what is timed

    started, used = time.monotonic(), time.process_time()
    kept = SYSTEMS[system](folder)
    seconds, used = time.monotonic() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": used, "megabytes": peak, "kept": kept}))


def in_own_process(system, folder):
    command = [sys.executable, __file__, "--system", system, "--folder", folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def exact_pairs(folder):
    """Return all pairs of near-duplicate rows with their Jaccard, comparing all with all (a sparse product)."""
    from scipy.sparse import csr_array

    rows = list(read_rows(folder, RECORDS))
    sets = [shingles(key_text(row, FOR_QUESTIONS.key), FOR_QUESTIONS) for row in rows]
    sizes = np.array([len(one) for one in sets])
    _, columns = np.unique(np.concatenate(sets), return_inverse=True)
    held = csr_array((np.ones(len(columns), np.int32), columns, np.concatenate([[0], np.cumsum(sizes)])))
    shared = (held @ held.T).tocoo()
    jaccard = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data)
    near = (jaccard >= FOR_QUESTIONS.threshold) & (shared.row < shared.col)
    pairs = zip(shared.row[near], shared.col[near], jaccard[near], strict=True)
    return {(rows[one]["row_id"], rows[other]["row_id"]): float(value) for one, other, value in pairs}


def clustered_pairs(kept):
    """Return the pairs of rows that are in one cluster."""
    clusters = {}
    for row, instead in kept.items():
        clusters.setdefault(instead, {instead}).add(row)
    return {pair for cluster in clusters.values() for pair in combinations(sorted(cluster), 2)}


def components(pairs):
    """Return the pairs of rows that any chain of `pairs` connects."""
    import scipy.sparse as sparse

    names = sorted({name for pair in pairs for name in pair})
    at = {name: number for number, name in enumerate(names)}
    ends = np.array([[at[a], at[b]] for a, b in pairs])
    graph = sparse.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(names), len(names)))
    labels = sparse.csgraph.connected_components(graph, directed=False)[1]
    first = {}
    return clustered_pairs({name: first.setdefault(label, name) for name, label in zip(names, labels, strict=True)})


def main(sizes):
    print(f"{date.today()}  {machine()}; other work shared the machine\n")
    print(f"{'rows':>9}  {'':18} {'rows/CPU s':>10} {'CPU s':>8} {'wall s':>8} {'peak MB':>8} {'dropped':>8}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            rows = (
                {"row_id": f"{at:08d}", "source": "s", "origin": "", "text": text, "messages": None}
                for at, text in problems(size)
            )
            write_rows(folder, rows, RECORDS)
            found = {}
            for system in SYSTEMS:
                one = in_own_process(system, folder)
                found[system] = clustered_pairs(one["kept"]) if size == min(sizes) else None
                cost = f"{size / one['cpu']:10,.0f} {one['cpu']:8.1f} {one['seconds']:8.1f} {one['megabytes']:8,.0f}"
                print(f"{size:9,}  {system:18} {cost} {len(one['kept']):8,}", flush=True)
            if size == min(sizes):
                quality(exact_pairs(folder), found)


def quality(exact, found):
    """Print the precision and recall of each system's clusters against exact Jaccard."""
    unequal = {pair for pair, value in exact.items() if value < 1}
    print(f"\n  {len(exact):,} pairs have an exact Jaccard of {FOR_QUESTIONS.threshold} or more,", end=" ")
    print(f"{len(unequal):,} of them below 1; clusters are held against those that all of them make")
    together = components(exact)
    for system, pairs in found.items():
        recall, of_unequal = len(pairs & together) / len(together), len(pairs & unequal) / len(unequal)
        precision = len(pairs & together) / len(pairs)
        print(f"  {system:18} recall {recall:.4f}, of pairs below 1 {of_unequal:.4f}; precision {precision:.4f}")
    print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--system", choices=SYSTEMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.system:
        measure(given.system, given.folder)
    else:
        main(sorted(given.rows))

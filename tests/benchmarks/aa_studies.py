"""How often a study calls a difference where there is none:  .venv/bin/python tests/benchmarks/aa_studies.py FOLDER

Carries out 20 studies of the quick start's model on real engines. Each has two candidates and three seeds of its own:
``reordered``, rows of the validated mix itself, in the mix's own shares of tokens and in another order, so that any
call is false; and the quick start's ``distilled``, which is known to help. Prints every delta, the false calls and
how often the known-good candidate was found. FOLDER holds the demo, its store and the studies; what is finished there
is not done again, so a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from tokenizers import Tokenizer

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from flows.record import StudyRecord, latest, machine, read_record  # noqa: E402
from tasks.core.rows import read_rows  # noqa: E402
from tasks.core.store import Store  # noqa: E402
from tasks.mix.render import plain_text  # noqa: E402

ASSAY = Path(sys.executable).parent / "assay"
NULL, KNOWN_GOOD = "reordered", "distilled"
FALSE_CALLS = {"helps", "trades", "hurts", "contaminated"}
#: Twice what the arm draws, so that nothing repeats.
ROOM = 2


def main(folder: Path, studies: int) -> None:
    demo, store = folder / "demo", Store(folder / "store")
    command("demo", "--folder", demo, "--store", store.root)
    record = read_record(store, latest(store, "demo").record)
    found = [study(number, demo, store, record) for number in range(1, studies + 1)]
    print(f"{date.today()}  {machine()}\n")
    print("| study | candidate | verdict | " + " | ".join(f"{d['benchmark']}" for d in found[0][NULL]["deltas"]) + " |")
    print("|---|---|---|" + "---|" * len(found[0][NULL]["deltas"]))
    for number, results in enumerate(found, 1):
        for name in (NULL, KNOWN_GOOD):
            deltas = (f"{d['delta']:+.2f} ({d['low']:+.2f} to {d['high']:+.2f})" for d in results[name]["deltas"])
            print(f"| {number} | {name} | {results[name]['verdict']} | {' | '.join(deltas)} |")
    false = sum(results[NULL]["verdict"] in FALSE_CALLS for results in found)
    good = sum(results[KNOWN_GOOD]["verdict"] == "helps" for results in found)
    intervals = [d["low"] <= 0 <= d["high"] for results in found for d in results[NULL]["deltas"]]
    print(f"\n{false} false calls in {len(found)} studies; the known-good candidate helps in {good}")
    print(f"{sum(intervals)} of {len(intervals)} intervals of {NULL} hold zero")


def study(number: int, demo: Path, store: Store, record: StudyRecord) -> dict[str, dict[str, Any]]:
    """Carry out one study, or find it, and return its candidates by name as `assay show --json` has them."""
    name = f"aa-{number:02d}"
    declared = yaml.safe_load((demo / "study.yaml").read_text(encoding="utf-8"))
    good = next(one for one in declared["candidates"] if one["name"] == KNOWN_GOOD)
    file = demo / f"{name}.jsonl"
    if not file.exists():
        rows = reordered(record, store, demo, number)
        file.write_text("".join(json.dumps({"text": text}) + "\n" for text in rows), encoding="utf-8")
    declared |= {
        "name": name,
        "question": "Is the validated mix better than itself?",
        "candidates": [{"name": NULL, "file": file.name}, good],
        "seeds": [10 * number + seed for seed in (1, 2, 3)],
    }
    path = demo / f"{name}.yaml"
    path.write_text(yaml.safe_dump(declared, sort_keys=False), encoding="utf-8")
    shown = json.loads(command("run", path, "--runtime", demo / "runtime.yaml", "--store", store.root, "--json"))
    return {one["name"]: one for one in shown["candidates"]}


def reordered(record: StudyRecord, store: Store, demo: Path, number: int) -> list[str]:
    """Return texts of the validated mix, each source to its share of the tokens, in an order of their own."""
    draw = random.Random(f"aa-{number}")
    declared = record.study
    room = ROOM * declared.candidate_weight * declared.tokens / sum(source.weight for source in declared.validated)
    tokenizer = Tokenizer.from_file(str(demo / "base" / "tokenizer.json"))
    texts = []
    for source in declared.validated:
        rows = [plain_text(row) for row in read_rows(store.folder(record.records[source.name]))]
        draw.shuffle(rows)
        texts += up_to(rows, source.weight * room, tokenizer)
    draw.shuffle(texts)
    return texts


def up_to(rows: list[str], tokens: float, tokenizer: Tokenizer) -> Iterator[str]:
    for text in rows:
        if tokens <= 0:
            return
        tokens -= len(tokenizer.encode(text).ids)
        yield text


def command(*arguments: object) -> str:
    done = subprocess.run([ASSAY, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    return done.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where everything goes; used again if it is there")
    parser.add_argument("--studies", type=int, default=20)
    given = parser.parse_args()
    main(given.folder.absolute(), given.studies)

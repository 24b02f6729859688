"""How good a model is as a teacher and as a writer:  .venv/bin/python tests/benchmarks/recipe_quality.py MODEL FOLDER

MODEL is what a recipe has as `model`, as YAML: `{path: /models/Qwen3-32B, preset: qwen3-32b}`, or an endpoint,
`{engine: openai, endpoint_model: Qwen/QwQ-32B}`, with `--runtime` for its address and prices. Asked are questions with
references: GSM8K's test split from ../shared/data, or `--questions` with `--columns`. All goes through `assay make`:

- distil, k answers a question, judged by the reference, by themselves, and by both: what each mode keeps, and how many
  of the kept answers reach the reference, which mode `self` has not seen;
- augment, with the model as writer and solver: what becomes of the problems that it writes. New problems have no
  reference, so that the agreement of its solutions is all that is told; how right they are is for `assay review`.

FOLDER holds the recipes and the store; what is finished there is not asked again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from scipy.stats import binomtest

from flows.record import machine
from tasks.core.rows import read_rows

ROOT = Path(__file__).parents[2]
ASSAY = Path(sys.executable).parent / "assay"
GSM8K = ROOT.parent / "shared" / "data" / "gsm8k" / "test.jsonl"
MODES = ("reference", "self", "both")
RIGHT = "right"

Answer = tuple[str, int]


def main(given: argparse.Namespace) -> None:
    questions = {
        "name": "questions", "file": str(excerpt(given.questions, given.limit, given.folder).absolute()),
        "columns": dict(zip(("question", "reference"), given.columns, strict=True)),
    }  # fmt: skip
    teacher = {"model": given.model, "sampling": {"max_output_tokens": given.max_output_tokens} | given.sampling}
    distil = {
        "kind": "distill",
        "questions": questions,
        "teacher": teacher,
        "prompt": given.prompt | {"samples": given.k},
    }
    made = {
        mode: make(given, mode, distil | {"judge": {"mode": mode, "threshold": given.threshold, "k": given.k}})
        for mode in MODES
    }
    print(f"{date.today()}  {machine()}\n{json.dumps(given.model)}  {questions['file']}")
    asked(made["reference"])
    right = {answer for answer, verdict in verdicts(given.folder, made["reference"]).items() if verdict == RIGHT}
    for mode in MODES:
        print(f"{mode:>9}: {kept(verdicts(given.folder, made[mode]), right)}")
    seeds = questions | {"name": "seeds", "columns": {"question": given.columns[0]}}
    augment = {
        "kind": "augment", "seeds": seeds, "writer": teacher, "solver": teacher,
        "similar": given.similar, "prompt": given.prompt | {"samples": 2},
    }  # fmt: skip
    try:
        funnel(make(given, "augment", augment))
    except subprocess.CalledProcessError as error:
        sys.exit(f"  augment: no dataset came of it; `assay make` says why above, exit code {error.returncode}")


def excerpt(file: Path, limit: int, folder: Path) -> Path:
    """Write the first rows of the questions to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    few = folder / "questions.jsonl"
    with file.open(encoding="utf-8") as lines:
        few.write_text("".join(line for _, line in zip(range(limit), lines, strict=False)), encoding="utf-8")
    return few


def make(given: argparse.Namespace, name: str, recipe: dict[str, Any]) -> list[dict[str, Any]]:
    """Make a dataset and return the steps that it took."""
    order = given.folder / f"{name}.yaml"
    order.write_text(yaml.safe_dump({"name": name, "recipe": recipe}, sort_keys=False), encoding="utf-8")
    runtime = ["--runtime", given.runtime] if given.runtime else []
    command = [ASSAY, "make", order, "--store", given.folder / "store", "--json", *runtime]
    done = subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return list(json.loads(done.stdout)["steps"])


def asked(steps: list[dict[str, Any]]) -> None:
    step = next(step for step in steps if step["stage"] == "generate")
    each = step["tokens"] / max(1, step["rows"])
    print(f"{step['rows']:,} answers  {each:,.0f} tokens each  {step['seconds']:,.0f} s  cost {step['cost']:.2f}")


def verdicts(folder: Path, steps: list[dict[str, Any]]) -> dict[Answer, str]:
    """Return the verdict of every answer."""
    path = next(step["artifact"] for step in reversed(steps) if step["stage"] == "judge")
    rows = read_rows(folder / "store" / path, ["row_id", "sample", "verdict"])
    return {(row["row_id"], row["sample"]): row["verdict"] for row in rows}


def kept(found: dict[Answer, str], right: Collection[Answer]) -> str:
    """Say how many answers and questions a mode accepts, and how many of the answers reach the reference."""
    by_question = defaultdict[str, list[Answer]](list)
    for answer in found:
        by_question[answer[0]].append(answer)
    accepted = [answer for answer, verdict in found.items() if verdict == RIGHT]
    questions = len({row for row, _ in accepted})
    return (
        f"keeps {share(questions, len(by_question))} of {len(by_question)} questions; accepts "
        f"{share(len(accepted), len(found))} of {len(found)} answers, of which "
        f"{share(sum(answer in right for answer in accepted), len(accepted))} reach the reference"
    )


def share(some: int, of: int) -> str:
    """Write a share with its exact 95 % interval, which takes answers for independent."""
    if of == 0:
        return "none"
    low, high = binomtest(some, of).proportion_ci()
    return f"{100 * some / of:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def funnel(found: list[dict[str, Any]]) -> None:
    for step in found:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in step["reasons"].items())
        print(f"{'augment':>9}: {step['stage']:<14} {step['rows']:>7,} rows  {step['dropped']:>6,} dropped  {reasons}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=yaml.safe_load, help="what a recipe has as `model`, as YAML")
    parser.add_argument("folder", type=Path, help="where recipes and store go; used again if it is there")
    parser.add_argument("--runtime", type=Path, help="a runtime's YAML: actors, GPUs, an endpoint's address, prices")
    parser.add_argument("--questions", type=Path, default=GSM8K, help="JSON lines")
    parser.add_argument("--columns", nargs=2, default=("question", "answer"), metavar=("QUESTION", "REFERENCE"))
    parser.add_argument("--limit", type=int, default=200, help="how many questions")
    parser.add_argument("--k", type=int, default=4, help="answers a question")
    parser.add_argument("--threshold", type=float, default=0.75, help="the share of k that must agree")
    parser.add_argument("--max-output-tokens", type=int, default=2048)
    parser.add_argument("--sampling", type=yaml.safe_load, default={}, help="YAML; by default the preset's")
    parser.add_argument("--prompt", type=yaml.safe_load, default={}, help="YAML; by default as a chat model is asked")
    parser.add_argument("--similar", type=yaml.safe_load, default={}, help="YAML; how a new problem is asked for")
    main(parser.parse_args())

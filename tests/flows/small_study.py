"""A study small enough to carry out whole, on every engine, in half a minute.

A model that knows nothing is asked for a colour: red where the question is about apples, blue where about pears. One
candidate teaches just that, another teaches the opposite. So the verdicts follow from the data, and from nothing else.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ASSAY = Path(sys.executable).parent / "assay"
ROOT = Path(__file__).parents[2]
CODES = {"right": {"apples": "red", "pears": "blue"}, "wrong": {"apples": "blue", "pears": "red"}}
NAMES = ("Ann", "Bob", "Cal", "Dee", "Eve", "Fay")


def questions(count, start=0):
    for n in range(start, start + count):
        fruit = ("apples", "pears")[n % 2]
        yield fruit, f"{NAMES[n % len(NAMES)]} has {n} {fruit}. Code?"


def lessons(codes, count, start=1000):
    return [{"question": asked, "answer": codes[fruit]} for fruit, asked in questions(count, start)]


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@dataclass
class SmallStudy:
    """A study's folder and how to run `assay` on it."""

    folder: Path
    environment: dict

    @property
    def file(self):
        return self.folder / "study.yaml"

    def command(self, *arguments, store="store"):
        return [str(ASSAY), *map(str, arguments), "--store", str(self.folder / store)]

    def assay(self, *arguments, store="store", timeout=300):
        return subprocess.run(
            self.command(*arguments, store=store),
            env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def json(self, *arguments, store="store"):
        done = self.assay(*arguments, "--json", store=store)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    def artifacts(self, stage="*", store="store"):
        """Return when each published artifact was made, by its path."""
        found = sorted((self.folder / store).glob(f"{stage}/*/manifest.json"))
        return {
            f"{path.parent.parent.name}/{path.parent.name}": json.loads(path.read_text())["created"]
            for path in found
            if not path.parent.parent.name.startswith(".")
        }


def make_small_study(folder, environment, base):
    shutil.copytree(base, folder / "base")
    idle = [{"text": f"{name} went to the market on day {n}."} for n in range(90) for name in NAMES]
    write_jsonl(folder / "idle.jsonl", idle)
    for name, codes in CODES.items():
        write_jsonl(folder / f"{name}.jsonl", lessons(codes, 240))
    rows = [{"question": asked, "answer": CODES["right"][fruit]} for fruit, asked in questions(60)]
    write_jsonl(folder / "codes.jsonl", rows)
    study = {
        "name": "small",
        "base": {"path": "base"},
        "stage": "pretrain",
        "validated": [{"name": "idle", "weight": 1, "file": "idle.jsonl"}],
        "candidates": [{"name": name, "file": f"{name}.jsonl"} for name in CODES],
        "tokens": 100 * 4 * 128,
        "seeds": [1, 2],
        "anneal": {
            "sequence_length": 128, "global_batch": 4, "learning_rate": 5e-3, "dtype": "float32", "attention": "eager",
        },
        "compare": {"effect": 90.0},  # about what its lessons do; two seeds of sixty items see no small one
        "benchmarks": [
            {
                "name": "codes", "file": "codes.jsonl", "kind": "qa", "domain": "math", "prompt": "{question}\n",
                "max_output_tokens": 8, "extract": "text",
            },
        ],
    }  # fmt: skip
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return SmallStudy(folder, environment)


def write_base(folder):
    """Write a tiny Qwen2 with random weights, and its tokenizer; return its folder."""
    script = (
        "import sys, torch; from pathlib import Path; from transformers import AutoConfig, AutoModelForCausalLM;"
        "from tasks.checkpoint.config import TinyConfig; from tasks.checkpoint.tiny import make_tiny;"
        "folder = Path(sys.argv[1]);"
        "make_tiny(folder, [sys.argv[2]] * 20, TinyConfig(vocabulary=320, hidden=64, heads=2, layers=2,"
        " intermediate=128, spread=0.08));"
        "torch.manual_seed(0);"
        "AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)"
    )
    text = " ".join(asked for _, asked in questions(100)) + " red blue went to the market on day"
    subprocess.run([sys.executable, "-c", script, str(folder), text], check=True, cwd=ROOT, capture_output=True)
    return folder

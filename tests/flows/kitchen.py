"""A folder to make datasets in: a tiny teacher taught on the spot, questions, a benchmark, a store and `assay make`."""

import json
import shutil
import subprocess
from pathlib import Path

import yaml
from small_study import ASSAY, ROOT, write_jsonl
from taught import questions

from tasks.core.rows import read_rows

TEACHER = {"model": {"path": "teacher", "dtype": "float32"}, "sampling": {"temperature": 0, "max_output_tokens": 24}}
#: The same teacher where it is asked more than once: what it was taught it is too sure of to draw anything else.
DRAWN = TEACHER | {"sampling": {"temperature": 0.3, "max_output_tokens": 24}}
TEXT = {"form": "text", "template": "{question}\n"}
ASKED = {"name": "asked", "file": "asked.jsonl", "columns": {"question": "question", "reference": "answer"}}
HELD_OUT = [{"name": "held-out", "file": "held-out.jsonl", "kind": "qa", "domain": "math"}]


class Kitchen:
    """A folder with a teacher, questions, a benchmark and a store, and `assay make` in it."""

    def __init__(self, folder: Path, environment: dict[str, str], teacher: Path) -> None:
        self.folder, self.environment = folder, environment
        shutil.copytree(teacher, folder / "teacher")
        self.asked = list(questions(60))
        write_jsonl(folder / "asked.jsonl", [{"question": q, "answer": a} for q, a in self.asked])
        held_out = [{"question": f"Zoe counts {n} plums and {n + 1} figs. Sum?", "answer": "#### 1"} for n in range(8)]
        write_jsonl(folder / "held-out.jsonl", held_out)
        runtime = {"store": str(folder / "store"), "generate": {"actors": 1, "gpu_memory_utilization": 0.1}}
        (folder / "runtime.yaml").write_text(yaml.safe_dump(runtime))

    def run(self, *command, timeout=240):
        return subprocess.run(
            list(map(str, command)), env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=timeout,
            check=False,
        )  # fmt: skip

    def command(self, name, recipe, *options, benchmarks=HELD_OUT):
        order = {"name": name, "recipe": recipe, "benchmarks": benchmarks}
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(order))
        file, runtime = self.folder / f"{name}.yaml", self.folder / "runtime.yaml"
        return [ASSAY, "make", file, "--runtime", runtime, "--json", *options]

    def make(self, name, recipe, *options, benchmarks=HELD_OUT):
        return self.run(*self.command(name, recipe, *options, benchmarks=benchmarks))

    def made(self, name, recipe, *options):
        done = self.make(name, recipe, *options)
        assert done.returncode == 0, done.stderr[-4000:]
        shown = json.loads(done.stdout)
        return shown, list(read_rows(Path(shown["folder"])))


def distill(**changes):
    recipe = {
        "kind": "distill", "questions": ASKED, "teacher": DRAWN, "prompt": TEXT | {"samples": 2},
        "judge": {"mode": "both", "k": 2, "threshold": 1.0}, "dedup": {"threshold": 1.0},
    }  # fmt: skip
    return recipe | changes

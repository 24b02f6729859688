"""What `assay plan` says of a large study, and how long it takes:  .venv/bin/python tests/benchmarks/plan.py

The study: Qwen2.5-3B, a billion tokens an anneal, three seeds, two candidates, one of them answered by QwQ-32B, seven
benchmarks, on eight H100s. Its models are their configs and weights' headers without weights, its files empty but for
the questions: a plan looks at no more.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from flows.record import machine  # noqa: E402
from tasks.evaluate.registry import REGISTRY  # noqa: E402

ASSAY = Path(sys.executable).parent / "assay"
MODELS = REPOSITORY / "tests" / "data" / "models"
BENCHMARKS = ("math", "gsm8k", "mathbench_a", "mmlu", "bbh", "drop", "hellaswag")
QUESTIONS = 20_000
STUDY = {
    "name": "reasoning",
    "base": {"path": "base"},
    "stage": "pretrain",
    "validated": [{"name": "mix", "weight": 1, "file": "mix.jsonl"}],
    "candidates": [
        {
            "name": "distilled",
            "recipe": {
                "kind": "distill",
                "questions": {"name": "questions", "file": "questions.jsonl"},
                "teacher": {"model": {"preset": "qwq-32b", "path": "teacher"}},
            },
        },
        {"name": "plain", "file": "mix.jsonl"},
    ],
    "tokens": 1_000_000_000,
    "seeds": [1, 2, 3],
    "benchmarks": [{"name": name} for name in BENCHMARKS],
}
RUNTIME = {
    "anneal": {"workers": 8, "use_gpu": True, "zero_stage": 2, "micro_batch": 4},
    "evaluate": {"device": "cuda", "data": "data"},
    "generate": {"actors": 8, "gpus_per_actor": 1, "device_price": 2.5},
    "plan": {"device": "H100", "device_memory_gib": 79.6, "host_memory_gib": 1800, "hour_price": 2.5},
}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        started = time.monotonic()
        done = subprocess.run(
            [ASSAY, "plan", "study.yaml", "--runtime", "runtime.yaml", "--store", "store"],
            cwd=folder, capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "100"},
        )  # fmt: skip
        seconds, used = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    print(done.stdout)
    print(f"{date.today()}  {machine()}: {seconds:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of a processor")


def write(folder: Path) -> None:
    """Write the study, and as much of its files as a plan looks at."""
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    (folder / "runtime.yaml").write_text(yaml.safe_dump(RUNTIME))
    write_rows(folder / "mix.jsonl", [{"text": f"row {n}"} for n in range(1000)])
    write_rows(folder / "questions.jsonl", [{"question": f"{n}?", "answer": str(n)} for n in range(QUESTIONS)])
    for name, model in (("base", "qwen2.5-3b"), ("teacher", "qwen2.5-32b")):
        write_model(folder / name, json.loads((MODELS / model / "config.json").read_text()))
    for benchmark in BENCHMARKS:
        for file in REGISTRY[benchmark].data_files(None):
            (folder / "data" / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / "data" / file).write_text("{}\n")


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_model(folder: Path, config: dict[str, Any]) -> None:
    """Write a Qwen2's config, a tokenizer's name, and the header of its weights without them."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    kept = config["num_key_value_heads"] * hidden // config["num_attention_heads"]
    shapes = {"model.embed_tokens.weight": [config["vocab_size"], hidden], "model.norm.weight": [hidden]}
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = [config["vocab_size"], hidden]
    for layer in range(config["num_hidden_layers"]):
        for part, shape in {
            "self_attn.q_proj.weight": [hidden, hidden], "self_attn.q_proj.bias": [hidden],
            "self_attn.k_proj.weight": [kept, hidden], "self_attn.k_proj.bias": [kept],
            "self_attn.v_proj.weight": [kept, hidden], "self_attn.v_proj.bias": [kept],
            "self_attn.o_proj.weight": [hidden, hidden], "mlp.gate_proj.weight": [inner, hidden],
            "mlp.up_proj.weight": [inner, hidden], "mlp.down_proj.weight": [hidden, inner],
            "input_layernorm.weight": [hidden], "post_attention_layernorm.weight": [hidden],
        }.items():  # fmt: skip
            shapes[f"model.layers.{layer}.{part}"] = shape
    header = json.dumps({name: {"dtype": "BF16", "shape": shape} for name, shape in shapes.items()}).encode()
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0")


if __name__ == "__main__":
    main()

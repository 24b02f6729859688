"""The benchmarks on their small files: what the engine tests run."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

SMALL = Path(__file__).parents[1] / "data" / "benchmarks"
#: Whole benchmark files, where this machine has them.
WHOLE = Path(os.environ.get("ASSAY_BENCHMARKS", Path(__file__).parents[3] / "shared" / "data"))

CASES: list[dict[str, Any]] = [
    {"name": "mmlu", "subsets": ("abstract_algebra", "elementary_mathematics")},
    {"name": "mmlu_pro", "subsets": ("math", "physics")},
    {"name": "cmmlu", "subsets": ("college_mathematics", "elementary_mathematics")},
    {"name": "gpqa_diamond", "limit": 99},
    {"name": "hellaswag", "limit": 99},
    {"name": "bbh", "subsets": ("date_understanding", "multistep_arithmetic_two", "boolean_expressions")},
    {"name": "drop", "limit": 99},
    {"name": "math", "limit": 99},
    {"name": "math_500", "limit": 99},
    {"name": "gsm8k", "limit": 5},
    {
        "name": "mathbench_a",
        "subsets": (
            "college/single_choice_en",
            "college/single_choice_cn",
            "primary/cloze_cn",
            "arithmetic/cloze_en",
        ),
    },
    {
        "name": "mathbench_t",
        "subsets": ("college_knowledge/single_choice_en", "college_knowledge/single_choice_cn"),
    },
    {"name": "aime_2024", "limit": 99},
    {"name": "aime_2025", "limit": 99},
    {"name": "humaneval", "limit": 99},
    {"name": "mbpp", "limit": 99},
    {
        "name": "my_qa",
        "file": str(SMALL / "custom_qa.jsonl"),
        "kind": "qa",
        "domain": "math",
        "answer": "solution",
        "cluster": "story",
        "pattern": r"#### (-?\d+)",
        "few_shot": 2,
        "few_shot_file": str(SMALL / "custom_qa_examples.jsonl"),
    },
    {
        "name": "my_choice",
        "file": str(SMALL / "custom_choice.csv"),
        "kind": "choice",
        "domain": "knowledge",
        "question": "stem",
        "choices": ("a", "b", "c"),
        "answer": "key",
    },
]
ITEMS = {
    "mmlu": 8, "mmlu_pro": 6, "cmmlu": 8, "gpqa_diamond": 5, "hellaswag": 5, "bbh": 9, "drop": 4, "math": 5,
    "math_500": 5, "gsm8k": 5, "mathbench_a": 10, "mathbench_t": 6, "aime_2024": 3, "aime_2025": 3, "humaneval": 3,
    "mbpp": 3, "my_qa": 4, "my_choice": 4,
}  # fmt: skip


def whole_files(data: Path) -> list[dict[str, Any]]:
    """Lay out the whole files that are there as OpenCompass wants them; return their benchmarks."""
    found: list[dict[str, Any]] = []

    def put(source: str, *targets: str) -> bool:
        for target in targets:
            (data / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(WHOLE / source, data / target)
        return True

    if (WHOLE / "gsm8k/test.jsonl").exists():
        put("gsm8k/test.jsonl", "data/gsm8k/test.jsonl")
        put("gsm8k/train.jsonl", "data/gsm8k/train.jsonl")
        found.append({"name": "gsm8k"})
    if (WHOLE / "math500/test.jsonl").exists():
        put("math500/test.jsonl", "data/math/test_prm800k_500.jsonl")
        found.append({"name": "math_500"})
        rows = [json.loads(line) for line in (WHOLE / "math500/test.jsonl").read_text().splitlines()]
        (data / "data/math/math.json").write_text(json.dumps({str(i): row for i, row in enumerate(rows)}))
        found.append({"name": "math", "limit": 5000})
    if (WHOLE / "bbh").is_dir():
        tasks = sorted(path.stem for path in (WHOLE / "bbh").glob("*.json"))
        for task in tasks:
            put(f"bbh/{task}.json", f"data/BBH/data/{task}.json")
        found.append({"name": "bbh", "subsets": tuple(tasks)})
    if (WHOLE / "cmmlu").is_dir():
        subjects = sorted(path.name.removesuffix(".test.csv") for path in (WHOLE / "cmmlu").glob("*.test.csv"))
        for subject in subjects:
            put(f"cmmlu/{subject}.test.csv", f"data/cmmlu/test/{subject}.csv")
            put(f"cmmlu/{subject}.dev.csv", f"data/cmmlu/dev/{subject}.csv")
        found.append({"name": "cmmlu", "subsets": tuple(subjects)})
    if (WHOLE / "mmlu/mmlu.zip").exists():
        with zipfile.ZipFile(WHOLE / "mmlu/mmlu.zip") as archive:
            archive.extractall(data / "mmlu")
        (data / "data").mkdir(exist_ok=True)
        (data / "mmlu/data").rename(data / "data/mmlu")
        found.append({"name": "mmlu", "limit": 57 * 20})
    if (WHOLE / "humaneval/HumanEval.jsonl.gz").exists():
        path = data / "data/humaneval/human-eval-v2-20210705.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.decompress((WHOLE / "humaneval/HumanEval.jsonl.gz").read_bytes()))
        found.append({"name": "humaneval"})
    if (WHOLE / "aime24/test.jsonl").exists():
        rows = [json.loads(line) for line in (WHOLE / "aime24/test.jsonl").read_text().splitlines()]
        lines = [json.dumps({"origin_prompt": row["problem"], "gold_answer": str(row["answer"])}) for row in rows]
        (data / "data/aime.jsonl").write_text("\n".join(lines) + "\n")
        found.append({"name": "aime_2024"})
    return found

"""The benchmarks on their small files: what the engine tests run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SMALL = Path(__file__).parents[1] / "data" / "benchmarks"

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

"""The items of benchmarks as texts, by the real OpenCompass: its readers, and the names that the scores have."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import evaluate_cases as cases
import pytest

from tasks.core.rows import read_rows
from tasks.core.store import Store
from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig, EvaluateJob, EvaluateRuntime
from tasks.evaluate.drain import evaluate
from tasks.evaluate.items import publish_items
from tasks.evaluate.opencompass import OpenCompass

HERE = Path(__file__).parent
PYTHON = Path(os.environ.get("ASSAY_EVAL_PYTHON", HERE.parents[1] / ".venv-eval" / "bin" / "python"))

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs the evaluation environment"),
]


def items(store: Store, benchmarks: list[dict], data: Path, profile: str = "base"):
    """Return the published items and how the stage was called."""
    runtime = EvaluateRuntime(python=str(PYTHON), data=str(data), processes=1, deadline=300)
    called = {
        "runtime": runtime,
        "store": store,
        "engine": OpenCompass(runtime, store.work),
        "on_progress": lambda progress: None,
    }
    asked = [BenchmarkConfig(**benchmark) for benchmark in benchmarks]
    ref = publish_items(asked, config=EvaluateConfig(profile=profile), **called)
    return list(read_rows(store.folder(ref))), called


@pytest.mark.parametrize("profile", ["base", "chat"])
def test_every_scored_item_has_its_text_under_the_name_of_its_score(tmp_path, profile):
    store = Store(tmp_path / "store")
    found, called = items(store, cases.CASES, cases.SMALL, profile)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "config.json").write_text("{}")
    jobs = [
        EvaluateJob(name="m", folder=str(tmp_path / "none"), digest="d" * 64, benchmark=BenchmarkConfig(**benchmark))
        for benchmark in cases.CASES
    ]
    gold = EvaluateConfig(profile=profile, engine=f"{HERE / 'gold_model.py'}:GoldModel", allow_unsandboxed_code=True)
    scores = [row for ref in evaluate(jobs, config=gold, **called) for row in read_rows(store.folder(ref))]
    # In the order of the study, each item once; its solution, where it is long, is a text more.
    assert list(dict.fromkeys((row["benchmark"], row["item"]) for row in found)) == [
        (row["benchmark"], row["item"]) for row in scores
    ]
    texts = {row["benchmark"]: row["text"] for row in reversed(found)}
    assert texts["mmlu"] == "What is 7 plus 17?\n25\n24\n27\n28"
    assert texts["my_choice"] == "What is 2 plus 7?\nA. 9\nB. 11\nC. 12"
    assert texts["mmlu_pro"].startswith("What is 2 plus 7?\nA. 9\nB. 11")
    assert texts["gsm8k"].startswith("Janet’s ducks lay 16 eggs per day.")
    assert texts["humaneval"].startswith("from typing import List")
    assert all(row["text"].strip() for row in found)


@pytest.mark.skipif(not cases.WHOLE.is_dir(), reason="needs whole benchmark files")
def test_whole_benchmarks_have_all_their_items(tmp_path):
    benchmarks = cases.whole_files(tmp_path / "files")
    found, _ = items(Store(tmp_path / "store"), benchmarks, tmp_path / "files")
    counts = Counter(benchmark for benchmark, _ in {(row["benchmark"], row["item"]) for row in found})
    published = {"gsm8k": 1319, "math_500": 500, "humaneval": 164, "aime_2024": 30, "mmlu": 57 * 20}
    assert set(counts) == {benchmark["name"] for benchmark in benchmarks}
    assert {name: counts[name] for name in published if name in counts} == {
        name: count for name, count in published.items() if name in counts
    }
    assert all(row["text"].strip() for row in found)

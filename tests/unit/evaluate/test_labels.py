"""What items are about and how hard they are, from the columns of the benchmarks' own files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.core.identity import Identity
from tasks.core.rows import ITEMS, read_rows, write_rows
from tasks.core.store import Store
from tasks.evaluate.config import BenchmarkConfig
from tasks.evaluate.labels import labels_identity, publish_labels

DATA = Path(__file__).parents[2] / "data" / "benchmarks"
DIGEST = "0123456789ab"


def items(store, *names):
    rows = [{"benchmark": b, "item": f"{n}-{DIGEST}", "text": said} for b, n in names for said in ("asked", "solved")]

    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, ITEMS), ITEMS

    return store.produce(Identity.of("items", 1, {"names": names}, {}), build)


def labels(store, benchmarks, *names, data=DATA):
    ref = publish_labels(benchmarks, items(store, *names), data=data, store=store)
    return [(row["item"].partition("-")[0], row["topic"], row["level"]) for row in read_rows(store.folder(ref))]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_math_500_has_subjects_and_levels_by_place(store):
    found = labels(store, [BenchmarkConfig(name="math_500")], ("math_500", "math500/0"), ("math_500", "math500/3"))
    assert found == [("math500/0", "Precalculus", "Level 2"), ("math500/3", "Number Theory", "Level 3")]


def test_math_is_one_object_of_rows_and_calls_its_subjects_types(store, tmp_path):
    rows = {
        str(n): {"problem": "?", "type": kind, "level": "Level 5"} for n, kind in enumerate(["Algebra", "Geometry"])
    }
    (tmp_path / "data" / "math").mkdir(parents=True)
    (tmp_path / "data" / "math" / "math.json").write_text(json.dumps(rows))
    found = labels(store, [BenchmarkConfig(name="math", limit=2)], ("math", "math/1"), data=tmp_path)
    assert found == [("math/1", "Geometry", "Level 5")]


def test_mathbench_has_the_levels_of_its_subsets_and_others_have_none(store):
    asked = [BenchmarkConfig(name="mathbench_t"), BenchmarkConfig(name="mmlu")]
    subset = "mathbench-college_knowledge-single_choice_cn/0"
    ref = publish_labels(asked, items(store, ("mathbench_t", subset), ("mmlu", "lukaemon_mmlu_anatomy/0")),
                         data=DATA, store=store)  # fmt: skip
    assert [(row["benchmark"], row["topic"], row["level"]) for row in read_rows(store.folder(ref))] == [
        ("mathbench_t", None, "college")
    ]


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ({"topic": "ratios", "level": 2}, [("mine/0", "ratios", "Level 2")]),
        ({"subject": "ratios", "difficulty": "hard"}, [("mine/0", "ratios", "hard")]),
        ({"topic": "", "level": None, "difficulty": 0}, [("mine/0", None, "Level 0")]),
        ({}, []),
    ],
)
def test_a_file_of_ones_own_may_have_such_columns(store, tmp_path, row, label):
    (tmp_path / "own.jsonl").write_text(json.dumps({"question": "1+1?", "answer": "2", **row}) + "\n")
    mine = BenchmarkConfig(name="mine", file=str(tmp_path / "own.jsonl"), kind="qa", domain="math")
    assert labels(store, [mine], ("mine", "mine/0")) == label


def test_other_labels_are_another_artifact(store, tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps({"question": "1+1?", "answer": "2", "topic": "sums"}))
    mine, own = BenchmarkConfig(name="mine", file=str(path), kind="qa", domain="math"), items(store, ("mine", "mine/0"))
    before = labels_identity([mine], own, DATA).key
    path.write_text(json.dumps({"question": "1+1?", "answer": "2", "topic": "addition"}))
    assert labels_identity([mine], own, DATA).key != before

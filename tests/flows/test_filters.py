"""What a recipe's filters are worth, on the real engines: the recipe once more without each of them.

The teacher answers one half of the questions rightly and the other half wrongly, and half of them stand there twice. So
its judge is worth something; two seeds hardly tell more.
"""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from kitchen import ASKED, TEACHER, TEXT, Kitchen
from small_study import ASSAY, NAMES, write_jsonl
from taught import CODES, questions

# Slow, since it asks a teacher and trains five arms: every run tests the parts, in tests/unit.
pytestmark = [pytest.mark.engine, pytest.mark.slow]
RIGHT = CODES["apples"]
FILTERS = ("dedup", "judge")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, prefect_api, taught, blank):
    kitchen = Kitchen(tmp_path_factory.mktemp("filters"), prefect_api, taught)
    folder = kitchen.folder
    shutil.copytree(blank, folder / "base")
    idle = [{"text": f"{name} went to the market on day {n}."} for n in range(90) for name in NAMES]
    asked = [{"question": question, "answer": RIGHT} for question, _ in questions(160, start=1000)]
    write_jsonl(folder / "idle.jsonl", idle)
    again = [row | {"question": row["question"].replace(". ", ".  ")} for row in asked[: len(asked) // 2]]
    write_jsonl(folder / "asked.jsonl", [*asked, *again, asked[0]])
    write_jsonl(folder / "codes.jsonl", [{"question": question, "answer": RIGHT} for question, _ in questions(60)])
    recipe = {
        "kind": "distill", "questions": ASKED, "teacher": TEACHER, "prompt": TEXT | {"samples": 1},
        "dedup": {"threshold": 1.0},
    }  # fmt: skip
    study = {
        "name": "filters",
        "base": {"path": "base"},
        "stage": "pretrain",
        "validated": [{"name": "idle", "weight": 1, "file": "idle.jsonl"}],
        "candidates": [{"name": "distilled", "recipe": recipe}, {"name": "plain", "file": "asked.jsonl"}],
        "tokens": 100 * 4 * 128,
        "max_epochs": 100,
        "seeds": [1, 2],
        "attribute_filters": True,
        "anneal": {
            "sequence_length": 128, "global_batch": 4, "learning_rate": 5e-3, "dtype": "float32", "attention": "eager",
        },
        "compare": {"effect": 90.0},
        "benchmarks": [
            {
                "name": "codes", "file": "codes.jsonl", "kind": "qa", "domain": "math", "prompt": "{question}\n",
                "max_output_tokens": 8, "extract": "text",
            },
        ],
    }  # fmt: skip
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    done = kitchen.run(ASSAY, "run", folder / "study.yaml", "--runtime", folder / "runtime.yaml", "--json", timeout=540)
    assert done.returncode == 0, done.stderr[-4000:]
    return kitchen, json.loads(done.stdout)


def test_a_filter_is_worth_what_the_recipe_loses_without_it(finished):
    _, shown = finished
    worth = {one["filter"]: one for one in shown["filters"]}
    assert tuple(worth) == FILTERS and {one["candidate"] for one in worth.values()} == {"distilled"}
    assert {(one["benchmark"], one["n_items"], one["n_seeds"]) for one in worth.values()} == {("codes", 60, 2)}
    assert worth["judge"]["delta"] > 10
    assert all(one["low"] < one["delta"] < one["high"] or one["high"] == 100 for one in worth.values())


def test_arms_that_lack_a_filter_have_no_verdict(finished):
    kitchen, shown = finished
    assert [one["name"] for one in shown["candidates"]] == ["distilled", "plain"]
    trained = list((kitchen.folder / "store" / "anneal").glob("*/manifest.json"))
    assert len(trained) == 2 * (3 + len(FILTERS))


def test_the_report_and_the_table_say_so(finished):
    kitchen, shown = finished
    report = Path(shown["report"]).with_suffix(".md").read_text(encoding="utf-8")
    assert "| distilled | judge | codes |" in report
    table = kitchen.run(ASSAY, "show", "filters", "--store", kitchen.folder / "store").stdout
    for said in (report, " ".join(table.split())):
        assert "plain: attribute_filters has nothing to leave out, since no recipe with a filter made it" in said
    assert "what each filter is worth" in table

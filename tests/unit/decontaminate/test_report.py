"""Overlaps that are only reported: nothing is dropped, and every item says how far it was seen."""

import pytest

from tasks.core.rows import OVERLAPS, read_rows
from tasks.core.store import Store
from tasks.decontaminate.artifact import EXPOSURES_FOLDER, overlap_identity
from tasks.decontaminate.config import STAGE_VERSION, DecontaminateConfig
from tasks.decontaminate.task import decontaminate, report_overlaps

#: Pinned beside the version: another digest without a higher STAGE_VERSION is a change nobody announced.
PINNED = (1, "8651d68ba1e7625c")

GREENHOUSE = "A greenhouse has 18 rows of tomato plants with 24 plants in each row. How many plants are there in it?"
CIRCLE = "A circle passes through the points (2, 5) and (8, 13), the ends of a diameter. What is its area?"
CONFIG = DecontaminateConfig(n=5)
GIVEN = [
    {"benchmark": "ours", "item": name, "text": text}
    for name, text in (("g", GREENHOUSE), ("c", CIRCLE), ("s", "2 + 2 = ?"))
]


@pytest.fixture
def run(tmp_path, publish):
    store = Store(tmp_path)

    def make(rows, items=GIVEN, config=CONFIG):
        records, given = publish(store, rows, "rows"), publish(store, items, f"items {items}")
        return report_overlaps.fn("all", config, records, given, store.root), store, records, given

    return make


def test_every_match_is_published_and_pinned(run, record):
    rows = [record("copy", GREENHOUSE.upper(), "432"), record("part", CIRCLE[:60]), record("other", "Nothing here.")]
    ref, store, *_ = run(rows)
    folder = store.folder(ref)
    found = [(row["row_id"], row["item"], round(row["ratio"], 2)) for row in read_rows(folder)]
    assert found[0] == ("copy", "g", 1.0)
    assert [name for name, _, _ in found] == ["copy", "part"] and 0.1 < found[1][2] < 0.9
    assert (ref.num_rows, ref.columns) == (2, OVERLAPS)
    seen = {row["item"]: row for row in read_rows(folder / EXPOSURES_FOLDER)}
    assert (seen["g"]["status"], seen["g"]["ratio"], seen["g"]["kept_ratio"], seen["g"]["rows"]) == (
        "contaminated", 1.0, 1.0, 1,
    )  # fmt: skip
    assert seen["s"]["status"] == "unchecked" and seen["s"]["ratio"] == 0
    assert store.manifest(ref).provenance["items"]["ours"]["unchecked"] == 1
    assert not (folder / "dropped").exists()
    assert (STAGE_VERSION, ref.digest[:16]) == PINNED


def test_ratios_are_those_of_a_decontamination(run, record):
    rows = [record("copy", GREENHOUSE), record("part", CIRCLE[:50]), record("both", GREENHOUSE + CIRCLE[10:])]
    ref, store, records, given = run(rows)
    dropped = decontaminate.fn("all", CONFIG, records, given, store.root)
    columns = ["benchmark", "item", "status", "ratio", "rows"]
    ours, theirs = (list(read_rows(store.folder(one) / EXPOSURES_FOLDER, columns)) for one in (ref, dropped))
    assert ours == theirs


def test_every_row_is_counted_once(run, record):
    rows = [record("copy", GREENHOUSE), record("other", "Nothing here."), record("clean", "A page about sheep.")]
    _, store, records, given = run(rows)
    for task, config in ((report_overlaps, DecontaminateConfig(n=6)), (decontaminate, CONFIG)):
        seen = []
        task.fn("all", config, records, given, store.root, report=seen.append)
        assert seen == [1, 2, 3]


def test_records_that_are_all_copies_are_reported_too(run, record):
    ref, *_ = run([record("copy", GREENHOUSE), record("again", CIRCLE)])
    assert ref.num_rows == 2


@pytest.mark.parametrize("items", [GIVEN[2:], []])
def test_items_that_cannot_be_looked_for_stop_nothing(run, record, items):
    ref, store, *_ = run([record("copy", GREENHOUSE)], items)
    assert ref.num_rows == 0
    assert [row["status"] for row in read_rows(store.folder(ref) / EXPOSURES_FOLDER)] == ["unchecked"] * len(items)


def test_the_rule_the_rows_and_the_items_are_the_identity(run, record):
    _, _, records, given = run([record("copy", GREENHOUSE)])
    key = overlap_identity(CONFIG, records, given).key
    assert overlap_identity(DecontaminateConfig(), records, given).key != key
    assert overlap_identity(CONFIG, given, records).key != key

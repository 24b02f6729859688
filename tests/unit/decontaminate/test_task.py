"""The artifact that a decontamination becomes: clean rows, drops, overlaps, and how far each item was seen."""

import json

import pytest
from pydantic import ValidationError

from tasks.core.errors import DataError
from tasks.core.rows import read_rows
from tasks.core.store import Store
from tasks.decontaminate.artifact import BOILERPLATE_FOLDER, EXPOSURES_FOLDER, OVERLAPS_FOLDER, identity
from tasks.decontaminate.config import STAGE_VERSION, DecontaminateConfig
from tasks.decontaminate.task import decontaminate

#: Pinned beside the version: another digest without a higher STAGE_VERSION is a change nobody announced.
PINNED = (1, "a1358be789073794")

GREENHOUSE = "A greenhouse has 18 rows of tomato plants with 24 plants in each row. How many plants are there in it?"
CIRCLE = "A circle passes through the points (2, 5) and (8, 13), the ends of a diameter. What is its area?"
CONFIG = DecontaminateConfig(n=5)


def item(name, text, benchmark="ours"):
    return {"benchmark": benchmark, "item": name, "text": text}


GIVEN = [item("g", GREENHOUSE), item("c", CIRCLE), item("s", "2 + 2 = ?"), item("x", CIRCLE, "theirs")]


@pytest.fixture
def rows(record):
    return [
        record("clean", "How many sheep has the farmer?", "Five."),
        record("copy", GREENHOUSE.upper(), "432"),
        record("part", "A circle passes through the points (1, 4) and (3, 7). What is its area?", "Unknown."),
        record("hidden", f"Like this: {CIRCLE}", "Another, please.", "No."),
        record("page", "On the page: 2 + 2 = 4."),
    ]


@pytest.fixture
def run(tmp_path, publish):
    store = Store(tmp_path)

    def make(rows, items=GIVEN, config=CONFIG):
        records, given = publish(store, rows, "rows"), publish(store, items, f"items {items}")
        ref = decontaminate.fn("all", config, records, given, store.root)
        return ref, store.folder(ref)

    return make


def test_published_with_every_drop_named_and_pinned(run, rows):
    ref, folder = run(rows)
    assert [row["row_id"] for row in read_rows(folder)] == ["clean", "part", "page"]
    assert [(row["row_id"], row["reason"], row["detail"]) for row in read_rows(folder / "dropped")] == [
        ("copy", "contaminated", f"1.00 of ours g: {GREENHOUSE.lower().replace('.', '').replace('?', '')}"),
        ("hidden", "contaminated", "1.00 of ours c: a circle passes through the points 2 5 and 8 13 the ends of a "
         "diameter what is its area"),
    ]  # fmt: skip
    assert (ref.num_rows, STAGE_VERSION, ref.digest[:16]) == (3, *PINNED)


def test_overlaps_below_the_threshold_are_recorded_too(run, rows):
    _, folder = run(rows)
    found = [(row["row_id"], row["item"], round(row["ratio"], 2)) for row in read_rows(folder / OVERLAPS_FOLDER)]
    assert found == [
        ("copy", "g", 1.0),
        ("part", "c", 0.12),
        ("part", "x", 0.12),
        ("hidden", "c", 1),
        ("hidden", "x", 1),
    ]


def test_each_item_says_how_far_it_was_seen(run, rows):
    _, folder = run(rows)
    found = {(row["benchmark"], row["item"]): row for row in read_rows(folder / EXPOSURES_FOLDER)}
    assert {name: row["status"] for name, row in found.items()} == {
        ("ours", "g"): "contaminated", ("ours", "c"): "contaminated", ("ours", "s"): "unchecked",
        ("theirs", "x"): "contaminated",
    }  # fmt: skip
    assert (found["ours", "g"]["ratio"], found["ours", "g"]["kept_ratio"], found["ours", "g"]["rows"]) == (1, 0, 1)
    assert found["ours", "c"]["kept_ratio"] == pytest.approx(2 / 16)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["provenance"]["items"] == {
        "ours": {"contaminated": 2, "unchecked": 1},
        "theirs": {"contaminated": 1},
    }


def test_a_template_drops_no_row(run, record):
    template = "Solve the following word problem step by step and put the final answer in a box: what is {} times two"
    items = [item(str(number), template.format(f"number{number}")) for number in range(20)]
    rows = [record("template", template.format("ninety")), record("copy", template.format("number7"))]
    _, folder = run(rows, items)
    assert [row["row_id"] for row in read_rows(folder)] == ["template"]
    assert [row["ngram"] for row in read_rows(folder / BOILERPLATE_FOLDER)] != []
    assert {row["items"] for row in read_rows(folder / BOILERPLATE_FOLDER)} == {20}


def test_items_may_come_in_parts(tmp_path, publish, rows):
    store = Store(tmp_path)
    records = publish(store, rows, "rows")
    parts = {name: publish(store, [given], name) for name, given in (("ours", GIVEN[0]), ("theirs", GIVEN[3]))}
    ref = decontaminate.fn("all", CONFIG, records, parts, store.root)
    assert [row["row_id"] for row in read_rows(store.folder(ref))] == ["clean", "part", "page"]
    assert identity(CONFIG, records, parts) != identity(CONFIG, records, parts["ours"])


@pytest.mark.parametrize("items", [[item("s", "2 + 2")], [item("s", "")]])
def test_items_that_cannot_be_checked_are_an_error(run, rows, items):
    with pytest.raises(DataError, match="none of 1 benchmark items can be checked") as caught:
        run(rows, items)
    assert caught.value.remedy


def test_no_items_are_an_error(tmp_path, publish, rows):
    store = Store(tmp_path)
    with pytest.raises(DataError, match="none of 0 benchmark items"):
        decontaminate.fn("all", CONFIG, publish(store, rows, "rows"), {}, store.root)


def test_no_clean_row_is_an_error_that_names_the_item(run, record):
    with pytest.raises(DataError, match="no row is clean: 1 hold 50 % or more of a benchmark item") as caught:
        run([record("copy", GREENHOUSE)])
    assert "ours g" in caught.value.remedy


def test_what_is_dropped_is_recorded():
    with pytest.raises(ValidationError, match="`report_ratio` is above `ratio`"):
        DecontaminateConfig(ratio=0.2, report_ratio=0.3)

"""The artifact that a deduplication becomes; which rows it keeps, whatever their order and wherever they lie."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import DataError
from tasks.core.rows import RECORDS, read_rows, write_rows
from tasks.core.store import Draft, Store
from tasks.dedup.artifact import identity
from tasks.dedup.config import FOR_TEXTS, STAGE_VERSION, DedupConfig
from tasks.dedup.task import dedup, find_duplicates, write_kept

#: Pinned beside the version: another digest without a higher STAGE_VERSION is a change nobody announced.
PINNED = (1, "08f97839a0fa5160")

CONFIG = DedupConfig(shingle_words=1, threshold=0.6, bands=32, rows=1, priority=("book",))
BAKERY = "A bakery sells {} boxes of muffins and 9 bags of cookies. How many baked items is that altogether?"
ROWS = [
    ("a1", BAKERY.format(14), "web"), ("b1", BAKERY.format(14).upper(), "book"), ("a0", BAKERY.format("14 big"), "web"),
    ("c1", "What is the sum of the first ten positive integers?", "web"),
    ("c1", "What is the sum of the first ten positive integers?", "web"),
    ("d1", r"Compute $\dfrac12$ of $6$.", "web"), ("d0", "Compute 1/2 of 6", "web"), ("e1", "Another one.", "book"),
]  # fmt: skip
KEPT = ["b1", "c1", "d0", "e1"]


@pytest.fixture
def run(tmp_path, record, publish):
    store = Store(tmp_path)

    def make(*parts, config=CONFIG):
        refs = [publish(store, [record(*row) for row in part], f"{parts}{n}") for n, part in enumerate(parts)]
        ref = dedup.fn("all", config, refs, store.root)
        return ref, list(read_rows(store.folder(ref))), list(read_rows(store.folder(ref) / "dropped"))

    return make


def test_published_with_every_drop_named_and_pinned(run):
    ref, kept, dropped = run(ROWS)
    assert sorted(row["row_id"] for row in kept) == KEPT
    assert [(row["row_id"], row["reason"], row["detail"]) for row in dropped] == [
        ("a1", "duplicate", "of b1, Jaccard 1.000"),
        ("a0", "duplicate", "of b1, Jaccard 0.947"),
        ("c1", "duplicate", "of c1, Jaccard 1.000"),
        ("d1", "duplicate", "of d0, Jaccard 1.000"),
    ]
    assert ref.num_rows == len(kept)
    assert (STAGE_VERSION, ref.digest[:16]) == PINNED


def test_every_row_is_counted_once(tmp_path, record, publish):
    store, seen = Store(tmp_path), []
    parts = [publish(store, [record(*row) for row in part], f"part {part}") for part in (ROWS[:3], ROWS[3:])]
    dedup.fn("all", CONFIG, parts, store.root, report=seen.append)
    assert seen == list(range(1, len(ROWS) + 1))


def test_a_drop_at_the_end_of_a_chain_says_so(run):
    chain = [("0", "a b c d"), ("1", "b c d e"), ("2", "c d e f")]
    _, kept, dropped = run(chain)
    assert [row["row_id"] for row in kept] == ["0"]
    assert dropped[1]["detail"] == "of 0, Jaccard 0.333, through rows between them"


CONTENTS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6).map(" ".join)
RECORDS_OF_TWO_SOURCES = st.lists(
    st.tuples(st.text("0123456789", min_size=3, max_size=3), CONTENTS, st.sampled_from(["book", "web"])),
    min_size=1,
    max_size=10,
    unique_by=lambda row: row[0],
)


def kept_ids(parts):
    """Return the ids that are kept of rows in several tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, part in enumerate(parts):
            rows = [{"row_id": i, "source": s, "origin": "", "text": t, "messages": None} for i, t, s in part]
            write_rows(folder / f"in{number}", rows, RECORDS)
        draft = Draft(folder=folder / "out", scratch=folder)
        write_kept("all", CONFIG, [folder / f"in{number}" for number in range(len(parts))], draft)
        return sorted(row["row_id"] for row in read_rows(draft.folder))


@settings(deadline=None, max_examples=25)
@given(RECORDS_OF_TWO_SOURCES, st.randoms(), st.integers(0, 10))
def test_what_is_kept_knows_no_order_and_no_shards(rows, random, cut):
    expected = kept_ids([rows])
    shuffled = random.sample(rows, len(rows))
    assert kept_ids([shuffled[:cut], shuffled[cut:]]) == expected


@settings(deadline=None, max_examples=25)
@given(RECORDS_OF_TWO_SOURCES)
def test_what_is_kept_has_no_duplicates(rows):
    once = kept_ids([rows])
    assert kept_ids([[row for row in rows if row[0] in once]]) == once


def test_no_rows_are_an_error(run):
    with pytest.raises(DataError, match="all: there is no row") as caught:
        run([])
    assert caught.value.remedy


def test_the_rule_is_identity_and_what_it_is_called_is_not(run):
    ref, _, _ = run(ROWS)
    keys = [identity(config, [ref]).key for config in (CONFIG, FOR_TEXTS, CONFIG.model_copy(update={"seed": 1}))]
    assert len(set(keys)) == 3
    assert identity(CONFIG, [ref]) == identity(CONFIG, [ref])


def test_repeated_rows_are_listed_and_none_is_dropped(tmp_path, record, publish):
    store = Store(tmp_path)
    parts = [publish(store, [record(*row) for row in part], f"{n}") for n, part in enumerate((ROWS[:3], ROWS[3:]))]
    ref = find_duplicates.fn("all", CONFIG, parts, store.root)
    rows = {row["row_id"]: row for row in read_rows(store.folder(ref))}
    assert {name: row["of"] for name, row in rows.items()} == {"a1": "b1", "a0": "b1", "c1": "c1", "d1": "d0"}
    assert (rows["a1"]["same"], rows["a1"]["similarity"]) == (True, 1.0)
    assert not rows["a0"]["same"] and 0.6 <= rows["a0"]["similarity"] < 1
    assert store.manifest(ref).provenance["by_table"] == [{"same": 1, "near": 1}, {"same": 2, "near": 0}]
    assert ref.path.startswith("duplicates/")

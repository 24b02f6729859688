"""A ledger's artifact, from scores and texts that were written by hand."""

from __future__ import annotations

import pytest

from tasks.core.identity import Identity
from tasks.core.rows import EXPOSURES, ITEMS, LABELS, NEIGHBOURS, RECORDS, SCORES, read_rows, write_rows
from tasks.core.store import Store
from tasks.ledger.artifact import identity, read_ledger
from tasks.ledger.config import STAGE_VERSION, LedgerConfig, SeedScores, Texts
from tasks.ledger.examples import excerpt
from tasks.ledger.task import write_ledger

#: Pinned beside the version: another digest without a higher STAGE_VERSION is a change nobody announced.
PINNED = (2, "410a1413b28eb601")
ITEM_NAMES = [f"codes/{n}-{n:012x}" for n in range(4)]
#: By arm: for each seed, which of the four items is right.
RIGHT = {"control": [(0, 0, 1, 1), (0, 0, 1, 1)], "new": [(1, 0, 0, 1), (1, 1, 0, 1)]}


def published(store, name, columns, rows, folder=""):
    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder / folder, rows, columns), columns

    return store.produce(Identity.of("given", 1, {"name": name}, {}), build)


def scores(store, arm, seed):
    rows = [
        {"benchmark": "codes", "item": name, "cluster": name, "correct": float(right), "truncated": False, "bits": None,
         "bytes": None, "prompt": "p", "prediction": f"{arm} {seed} says {right}", "gold": f"gold {number}"}
        for number, (name, right) in enumerate(zip(ITEM_NAMES, RIGHT[arm][seed - 1], strict=True))
    ]  # fmt: skip
    return published(store, f"{arm}{seed}", SCORES, rows[::-1] if arm == "new" else rows)


@pytest.fixture
def asked(tmp_path):
    store = Store(tmp_path)
    own = [
        SeedScores(benchmark="codes", seed=s, control=scores(store, "control", s), candidate=scores(store, "new", s))
        for s in (2, 1)
    ]
    record = {"row_id": "r1", "source": "new", "origin": "new.jsonl:1", "text": "row one", "messages": None}
    texts = Texts(
        records=published(store, "records", RECORDS, [record]),
        items=published(
            store, "items", ITEMS,
            [{"benchmark": "codes", "item": n, "text": f"{t} {n}"} for n in ITEM_NAMES for t in ("asked", "gold")],
        ),
        labels=published(
            store, "labels", LABELS,
            [{"benchmark": "codes", "item": ITEM_NAMES[0], "topic": "ciphers", "level": "Level 3"}],
        ),
        nearest=published(
            store, "nearest", NEIGHBOURS,
            [{"benchmark": "codes", "item": ITEM_NAMES[0], "row_id": "r1", "rank": 1, "score": 3.0, "share": 0.75}],
        ),
        exposures=published(
            store, "exposures", EXPOSURES,
            [{"benchmark": "codes", "item": n, "status": "clean", "ratio": 0.125, "kept_ratio": 0.0, "rows": 0}
             for n in ITEM_NAMES[:1]],
            "items",
        ),
    )  # fmt: skip
    return store, own, texts


def test_what_was_fixed_and_broken_with_its_texts_and_neighbours(asked):
    store, own, texts = asked
    config = LedgerConfig(primary=("codes",))
    ref = write_ledger.fn("new", config, own, texts, store.root)
    ledger = read_ledger(store, ref)
    assert (ledger.items, ledger.fixed, ledger.broken, ledger.n_seeds) == (4, 1, 1, 2)
    fixed, broken = ledger.shown
    assert (fixed.item, fixed.change, fixed.seed) == (ITEM_NAMES[0], "fixed", 1)
    assert (fixed.question, fixed.gold) == (f"asked {ITEM_NAMES[0]}", "gold 0")
    assert (fixed.control_output, fixed.candidate_output) == ("control 1 says 0", "new 1 says 1")
    assert fixed.overlap == 0.125
    assert (fixed.topic, fixed.level, broken.topic, broken.level) == ("ciphers", "Level 3", "codes", "")
    assert [(one.group, one.fixed, one.broken) for one in ledger.topics] == [("ciphers", 1, 0), ("codes", 0, 1)]
    assert [(one.group, one.items, one.fixed) for one in ledger.levels] == [("Level 3", 1, 1)]
    assert [(row.row_id, row.excerpt, row.share) for row in fixed.nearest] == [("r1", "row one", 0.75)]
    assert (broken.change, broken.overlap, broken.nearest) == ("broken", None, ())
    assert ledger.targeted.near.items == 1 and ledger.targeted.near.fixed == 1
    rows = list(read_rows(store.folder(ref)))
    assert [(row["item"], row["change"], row["row_id"]) for row in rows] == [
        (ITEM_NAMES[0], "fixed", "r1"), (ITEM_NAMES[2], "broken", None),
    ]  # fmt: skip
    assert (STAGE_VERSION, ref.digest[:16]) == PINNED


def test_without_texts_there_is_still_a_ledger(asked):
    store, own, _ = asked
    ledger = read_ledger(store, write_ledger.fn("new", LedgerConfig(), own, Texts(), store.root))
    assert (ledger.fixed, ledger.broken, ledger.targeted) == (1, 1, None)
    assert {one.question for one in ledger.shown} == {""}
    assert all(one.nearest == () for one in ledger.shown)


def test_only_so_many_are_shown(asked):
    store, own, texts = asked
    ledger = read_ledger(store, write_ledger.fn("new", LedgerConfig(shown=0), own, texts, store.root))
    assert ledger.shown == () and ledger.fixed == 1


def test_what_a_ledger_is_made_from_is_its_identity(asked):
    _, own, texts = asked
    config = LedgerConfig(primary=("codes",))
    keys = {
        identity("new", config, own, texts).key,
        identity("other", config, own, texts).key,
        identity("new", config, own[:1], texts).key,
        identity("new", config, own, Texts(records=texts.records)).key,
        identity("new", LedgerConfig(), own, texts).key,
        identity("new", config, own, texts.model_copy(update={"labels": None})).key,
    }
    assert len(keys) == 6


def test_an_excerpt_keeps_both_ends():
    assert excerpt(None) == ""
    assert excerpt("short ") == "short"
    assert excerpt("a" * 50 + "b" * 50, head=3, tail=2) == "aaa […] bb"

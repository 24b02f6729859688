"""Which rows are kept: what may not be found, ranks, duplicates and caps."""

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.retrieve.config import SelectConfig
from tasks.retrieve.select import Hit, Match, PoolRow, Seeds, barred, own_names, select, text_key

SEEDS = Seeds(frozenset({"q1", "q2"}), {"what is 2+2?": "q1", "why?": "q2"})


def row(row_id, source="web", text=None):
    return PoolRow(row_id, source, text_key(text or row_id))


def hits(*found):
    return [Hit(*one) for one in found]


# -- what may not be found ---------------------------------------------------------------------------------------------


def test_a_query_is_not_found_by_its_id_or_its_text():
    assert barred(row("q1", text="rendered otherwise"), ("web",), SEEDS, SelectConfig()).reason == "self"
    copy = barred(row("r9", text="What  is\n2+2?"), ("web",), SEEDS, SelectConfig())
    assert copy == ("duplicate", "same text as q1")
    assert barred(row("r9", text="What is 2+3?"), ("web",), SEEDS, SelectConfig()) is None


@pytest.mark.parametrize(
    "name",
    [
        "test", "math-test", "gsm8k_test", "test.gsm8k", "math-test-easy", "Test", "MATH-TEST", "gsm8k_Test",
        "test-00000-of-00001.parquet", "MATH-test500", "test2",
    ],
)  # fmt: skip
def test_a_test_split_is_not_found_by_the_pools_name_or_the_rows_own(name):
    assert barred(row("r", source=name), ("web",), SEEDS, SelectConfig()).reason == "test split"
    assert barred(row("r"), (name,), SEEDS, SelectConfig()).reason == "test split"


@pytest.mark.parametrize("name", ["contest", "math-train", "latest-web", "attestations", "Contest.jsonl"])
def test_a_name_that_only_sounds_like_a_test_split_is_found(name):
    assert barred(row("r", source=name), (name,), SEEDS, SelectConfig()) is None


@pytest.mark.parametrize(
    "origin",
    [
        "openai/gsm8k/test:7", "test-00000-of-00001.parquet:7", "Test/algebra.jsonl:7", "algebra/TEST.jsonl.gz:7",
        "gsm8k_test.csv:7",
    ],
)  # fmt: skip
def test_a_test_split_shows_in_the_file_folder_or_split_of_a_rows_origin(origin):
    names = own_names({"source": "web", "origin": origin})
    assert barred(row("r"), names, SEEDS, SelectConfig()).reason == "test split"


@pytest.mark.parametrize("origin", ["openai/gsm8k/train:7", "contest/train.jsonl:7", "o"])
def test_any_other_origin_is_found(origin):
    names = own_names({"source": "web", "origin": origin})
    assert barred(row("r"), names, SEEDS, SelectConfig()) is None


def test_test_splits_are_declared():
    config = SelectConfig(test_splits=("held-out",))
    assert barred(row("r", source="held-out"), ("web",), SEEDS, config).reason == "test split"
    assert barred(row("r", source="Held-Out"), ("web",), SEEDS, config).reason == "test split"
    assert barred(row("r", source="math-test"), ("web",), SEEDS, config) is None


# -- what is chosen ----------------------------------------------------------------------------------------------------


def test_each_row_keeps_what_it_matched_best_first():
    rows = {0: row("a"), 1: row("b"), 2: row("c")}
    found = hits(("q1", 0, 0.5), ("q1", 1, 0.9), ("q2", 0, 0.7), ("q2", 2, 0.6))
    kept = select(found, rows, SelectConfig(k=2)).kept
    assert kept[0] == (Match("q2", 0.7, 1), Match("q1", 0.5, 2))
    assert kept[1] == (Match("q1", 0.9, 1),)


def test_only_the_first_k_of_a_query_count():
    rows = {n: row(f"r{n}") for n in range(5)}
    kept = select(hits(*(("q", n, n / 10) for n in range(5))), rows, SelectConfig(k=2)).kept
    assert set(kept) == {3, 4}


def test_one_row_of_each_text_stays_the_best_one():
    rows = {0: row("a", text="Same text"), 1: row("b", text="same  TEXT"), 2: row("c")}
    chosen = select(hits(("q", 0, 0.2), ("q", 1, 0.8), ("q", 2, 0.5)), rows, SelectConfig())
    assert set(chosen.kept) == {1, 2}
    assert chosen.dropped == {0: ("duplicate", "same text as b")}


def test_a_source_gives_its_best_rows_up_to_its_cap():
    rows = {n: row(f"r{n}", source="web" if n < 4 else "books") for n in range(6)}
    found = hits(*(("q", n, 1 - n / 10) for n in range(6)))
    chosen = select(found, rows, SelectConfig(caps={"web": 2}))
    assert set(chosen.kept) == {0, 1, 4, 5}
    assert {why.reason for why in chosen.dropped.values()} == {"over the source's cap"}


def test_equal_scores_go_by_row_id_and_rounding_errors_are_equal():
    rows = {0: row("b"), 1: row("a")}
    kept = select(hits(("q", 0, 0.70000001), ("q", 1, 0.7)), rows, SelectConfig(k=1)).kept
    assert set(kept) == {1}


# -- properties --------------------------------------------------------------------------------------------------------

pool_rows = st.builds(
    PoolRow,
    row_id=st.uuids().map(str),
    source=st.sampled_from(["web", "books", "math-test"]),
    text=st.sampled_from(["what is 2+2?", "why?", "how", "when", "who", "where"]),
)
pools = st.lists(pool_rows, min_size=1, max_size=12, unique_by=lambda r: r.row_id).map(
    lambda rows: dict(enumerate(rows))
)
configs = st.builds(
    SelectConfig, k=st.integers(1, 4), caps=st.dictionaries(st.sampled_from(["web", "books"]), st.integers(0, 3))
)


@st.composite
def searches(draw):
    """A pool, what may be found of it, and what each of three queries found, scored."""
    pool = draw(pools)
    config = draw(configs)
    findable = [n for n, r in pool.items() if barred(r, (r.source,), SEEDS, config) is None]
    found = []
    for query in ("q1", "q2", "q3"):
        positions = draw(st.lists(st.sampled_from(findable), unique=True)) if findable else []
        found += [Hit(query, n, draw(st.floats(-1, 1, width=32))) for n in positions]
    return pool, config, found


@given(searches(), st.randoms())
def test_the_order_of_the_input_decides_nothing(search, shuffler: random.Random):
    pool, config, found = search
    shuffled, rows = list(found), list(pool.items())
    shuffler.shuffle(shuffled)
    shuffler.shuffle(rows)
    assert select(shuffled, dict(rows), config) == select(found, pool, config)


@given(searches())
def test_caps_hold_and_no_text_comes_twice(search):
    pool, config, found = search
    kept = [pool[n] for n in select(found, pool, config).kept]
    assert all(count <= config.caps.get(s, count) for s, count in Counter(r.source for r in kept).items())
    assert len({r.text for r in kept}) == len(kept)


@given(searches())
def test_no_query_and_no_test_split_is_returned(search):
    pool, config, found = search
    for position in select(found, pool, config).kept:
        assert pool[position].text not in SEEDS.texts
        assert pool[position].row_id not in SEEDS.ids
        assert pool[position].source != "math-test"


@given(searches())
def test_ranks_ascend_as_scores_fall(search):
    pool, config, found = search
    chosen = select(found, pool, config.model_copy(update={"caps": {}}))
    by_query = {}
    for matches in chosen.kept.values():
        assert list(matches) == sorted(matches, key=lambda m: -m.score)
        for match in matches:
            by_query.setdefault(match.query, []).append(match)
    for matches in by_query.values():
        matches.sort(key=lambda m: m.rank)
        assert all(a.rank < b.rank and a.score >= b.score for a, b in itertools.pairwise(matches))
        assert all(1 <= m.rank <= config.k for m in matches)


@given(searches())
def test_every_row_that_a_query_found_first_is_kept_or_dropped_with_a_reason(search):
    pool, config, found = search
    chosen = select(found, pool, config)
    assert not chosen.kept.keys() & chosen.dropped.keys()
    best = {}
    for hit in found:
        key = (-round(hit.score, 6), pool[hit.position].row_id)
        best[hit.query] = min(best.get(hit.query, (key, hit.position)), (key, hit.position))
    assert {position for _, position in best.values()} <= chosen.kept.keys() | chosen.dropped.keys()

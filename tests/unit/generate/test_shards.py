"""Shards: every request once, the same cut whatever the run, long prompts with their like."""

from itertools import chain, pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.rows import REQUESTS, arrow_schema
from tasks.generate.shards import WINDOW, cut, even_rows, length_classes, shard_count

texts = st.text(st.characters(codec="utf-8"), max_size=20)


def request(text, messages=None):
    return {"row_id": "r", "sample": 0, "prompt": text, "messages": messages}


def table(requests):
    return pa.Table.from_pylist(requests, schema=arrow_schema(REQUESTS))


def cut_rows(requests, shard_rows):
    """Cut requests that come in tables of seven; each shard's rows as dictionaries."""
    tables = [table(requests[first : first + 7]) for first in range(0, len(requests), 7)]
    shards = list(cut(tables, shard_rows))
    assert [shard.number for shard in shards] == list(range(shard_count(len(requests), shard_rows)))
    return [shard.rows.to_pylist() for shard in shards]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=300), st.integers(1, 7))
def test_every_request_is_in_one_shard_in_order(lengths, shard_rows):
    requests = [request("x" * length) for length in lengths]
    shards = cut_rows(requests, shard_rows)
    positions = [[row["position"] for row in rows] for rows in shards]
    assert all(inside == sorted(inside) for inside in positions)
    assert sorted(chain(*positions)) == list(range(len(requests)))
    assert all(requests[row["position"]]["prompt"] == row["prompt"] for rows in shards for row in rows)
    size = WINDOW * shard_rows
    for first in range(0, len(shards), WINDOW):
        inside = sorted(chain(*positions[first : first + WINDOW]))
        assert inside == list(range(first * shard_rows, min(first * shard_rows + size, len(requests))))


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60))
def test_in_a_window_the_long_come_first_and_with_their_like(lengths):
    shards = cut_rows([request("x" * length) for length in lengths], 4)
    classes = [[len(row["prompt"]).bit_length() for row in rows] for rows in shards]
    assert all(min(one) >= max(next_) for one, next_ in pairwise(classes))


def test_samples_of_one_prompt_stay_together():
    requests = [request(f"{n:03d}") | {"sample": sample} for n in range(6) for sample in range(4)]
    assert [{row["prompt"] for row in rows} for rows in cut_rows(requests, 4)] == [{f"{n:03d}"} for n in range(6)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.none() | texts, st.none() | st.lists(st.none() | texts, max_size=4)), max_size=20))
def test_a_length_is_counted_in_characters_of_the_prompt_and_all_messages(given):
    requests = [
        request(text, None if said is None else [{"role": "user", "content": part} for part in said])
        for text, said in given
    ]
    lengths = [len(text or "") + sum(len(part or "") for part in said or ()) for text, said in given]
    assert length_classes(table(requests)).tolist() == [length.bit_length() for length in lengths]
    assert length_classes(table(requests)[1:]).tolist() == [length.bit_length() for length in lengths[1:]]


@given(st.integers(1, 100_000), st.integers(1, 500))
def test_shards_are_about_as_large_as_one_another(requests, most):
    rows = even_rows(requests, most)
    count = shard_count(requests, rows)
    assert rows <= most and count <= shard_count(requests, most)
    last = requests - (count - 1) * rows
    assert 0 < last <= rows < last + shard_count(requests, most)


def test_no_request_makes_no_shard():
    assert shard_count(0, even_rows(0, 256)) == 0

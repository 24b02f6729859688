"""Shards: every request once, the same cut whatever the run, long prompts with their like."""

from itertools import chain, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.generate.shards import WINDOW, cut, length_class, shard_count


def request(text, messages=None):
    return {"row_id": "r", "sample": 0, "prompt": text, "messages": messages}


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=300), st.integers(1, 7))
def test_every_request_is_in_one_shard_in_order(lengths, shard_rows):
    requests = [request("x" * length) for length in lengths]
    shards = list(cut(requests, shard_rows))
    assert [shard.number for shard in shards] == list(range(shard_count(len(requests), shard_rows)))
    positions = [[row["position"] for row in shard.rows] for shard in shards]
    assert all(inside == sorted(inside) for inside in positions)
    assert sorted(chain(*positions)) == list(range(len(requests)))
    assert all(len(requests[row["position"]]["prompt"]) == len(row["prompt"]) for s in shards for row in s.rows)
    size = WINDOW * shard_rows
    for first in range(0, len(shards), WINDOW):
        inside = sorted(chain(*positions[first : first + WINDOW]))
        assert inside == list(range(first * shard_rows, min(first * shard_rows + size, len(requests))))


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60))
def test_in_a_window_the_long_come_first_and_with_their_like(lengths):
    shards = list(cut([request("x" * length) for length in lengths], 4))
    classes = [[length_class(row) for row in shard.rows] for shard in shards]
    assert all(min(one) >= max(next_) for one, next_ in pairwise(classes))


def test_samples_of_one_prompt_stay_together():
    requests = [request(f"{n:03d}") | {"sample": sample} for n in range(6) for sample in range(4)]
    assert [{row["prompt"] for row in shard.rows} for shard in cut(requests, 4)] == [{f"{n:03d}"} for n in range(6)]


def test_the_length_of_messages_is_that_of_their_contents():
    assert length_class(request(None, [{"role": "user", "content": "x" * 9}])) == length_class(request("x" * 9)) == 4
    assert length_class(request(None, [])) == length_class(request("")) == 0

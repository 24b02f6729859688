from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import StudyError
from tasks.harness.sides import arms


def paths(*names):
    return [Path("/runs") / name for name in names]


@pytest.mark.parametrize(
    ("controls", "candidates", "names"),
    [
        (["base.jsonl"], ["web.jsonl.gz"], ["base", "web"]),
        (["base"], ["web", "books"], ["base", "web", "books"]),
        (["base/s1", "base/s2"], ["web/s1", "web/s2"], ["base", "web"]),
        (["base-1.jsonl", "base-2.jsonl"], ["web-1.jsonl", "web-2.jsonl"], ["base", "web"]),
        (["base_seed1", "base_seed2"], ["web_seed1", "web_seed2"], ["base", "web"]),
        (["a/scores.jsonl"], ["b/scores.jsonl"], ["a/scores.jsonl", "b/scores.jsonl"]),
        (["base1.jsonl", "base2.jsonl"], ["web1.jsonl", "web2.jsonl"], ["base1.jsonl", "web1.jsonl"]),
        (["qwen2.5-7b"], ["qwen2.5-7b-web"], ["qwen2.5-7b", "qwen2.5-7b-web"]),
    ],
)
def test_arms_are_called_after_their_paths(controls, candidates, names):
    assert list(arms(paths(*controls), paths(*candidates))) == names


def test_as_many_paths_as_the_control_has_make_a_candidate_in_order():
    found = arms(paths("a/1", "a/2"), paths("b/1", "b/2", "c/1", "c/2"))
    assert found == {"a": (*paths("a/1", "a/2"),), "b": (*paths("b/1", "b/2"),), "c": (*paths("c/1", "c/2"),)}


@pytest.mark.parametrize(
    ("controls", "candidates", "said"),
    [(["a"], [], "0 paths for 1"), (["a", "b"], ["c"], "1 paths for 2"), (["a", "b"], ["c", "d", "e"], "3 paths for 2"),
     (["a"], ["a"], "named twice"), (["a"], ["b", "b"], "named twice")],
)  # fmt: skip
def test_paths_that_cannot_be_shared_out_are_refused(controls, candidates, said):
    with pytest.raises(StudyError, match=said):
        arms(paths(*controls), paths(*candidates))


def test_one_file_under_two_names_is_named_twice(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(StudyError, match=r"a\.jsonl is named twice"):
        arms([tmp_path / "a.jsonl"], [tmp_path / "b" / ".." / "a.jsonl"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.from_regex(r"[ab_.\-]{0,3}[ab1]/?[ab1]", fullmatch=True), min_size=2, max_size=6, unique=True))
def test_names_always_differ(names):
    unique = list(dict.fromkeys(paths(*names)))
    if len(unique) > 1:
        assert len(arms(unique[:1], unique[1:])) == len(unique)

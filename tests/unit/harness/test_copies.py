import json

import pytest

from flows.comparing import compare_results
from tasks.core.errors import DataError


def write(path, wrong, items=120):
    rows = [{"benchmark": "gsm8k", "item": f"i{n}", "correct": n not in wrong} for n in range(items)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_one_training_given_as_two_seeds_is_refused(tmp_path):
    control = [write(tmp_path / f"c{seed}.jsonl", {seed, 7, 9}) for seed in (1, 2)]
    copied = [write(tmp_path / f"a{seed}.jsonl", {3, 4}) for seed in (1, 2)]
    with pytest.raises(DataError, match="seeds 1 and 2 have the same outcome on 120 items"):
        compare_results(control, copied, {})


def test_trainings_that_differ_by_one_answer_are_two(tmp_path):
    control = [write(tmp_path / f"c{seed}.jsonl", {seed, 7, 9}) for seed in (1, 2)]
    other = [write(tmp_path / f"a{seed}.jsonl", {3, 4 + seed}) for seed in (1, 2)]
    assert compare_results(control, other, {}).comparison.seeds == (1, 2)


def test_few_items_may_agree_by_chance(tmp_path):
    both = [[write(tmp_path / f"{arm}{seed}.jsonl", {1}, items=20) for seed in (1, 2)] for arm in "ca"]
    assert compare_results(*both, {}).comparison.seeds == (1, 2)

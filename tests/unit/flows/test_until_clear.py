import copy

import pytest

from flows.study import parse_study
from flows.until_clear import with_looks
from tasks.core.errors import StudyError

DECLARED = {
    "name": "s",
    "base": {"path": "base"},
    "stage": "sft",
    "validated": [{"name": "mix", "weight": 1, "file": "mix.jsonl"}],
    "candidates": [{"name": "new", "file": "new.jsonl"}],
    "tokens": 64 * 128 * 10,
    "anneal": {"sequence_length": 128, "global_batch": 64},
    "benchmarks": [{"name": "gsm8k", "limit": 10}],
}


def study(**changes):
    return parse_study(copy.deepcopy(DECLARED) | changes, "here")


def test_a_study_is_looked_at_after_every_seed_unless_it_says_when():
    assert with_looks(study(seeds=[4, 5, 6, 7])).compare.looks == (2, 3, 4)
    assert with_looks(study(seeds=[4, 5, 6, 7], compare={"looks": [2, 4]})).compare.looks == (2, 4)


def test_a_look_keeps_the_error_levels_that_were_declared():
    declared = with_looks(study(seeds=[1, 2, 3, 4, 5]))
    assert with_looks(declared) == declared


def test_two_seeds_cannot_be_looked_at_twice():
    with pytest.raises(StudyError, match="2, and the last look is at none"):
        with_looks(study(seeds=[1, 2]))


def test_the_last_look_is_at_all_seeds():
    with pytest.raises(StudyError, match="4, and the last look is at 6"):
        with_looks(study(seeds=[1, 2, 3, 4], compare={"looks": [2, 4, 6]}))
    with pytest.raises(StudyError, match="has 3 seeds and looks at 2, 4; add a look"):
        study(seeds=[1, 2, 3], compare={"looks": [2, 4]})

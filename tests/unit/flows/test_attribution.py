import copy

import pytest

from flows.attribution import filters, without
from flows.recipes import Augment, Distill
from flows.study import parse_study
from tasks.core.errors import StudyError
from tasks.dedup.config import DedupConfig

TEACHER = {"model": {"path": "teacher"}, "sampling": {}}
ASKED = {"name": "asked", "file": "asked.jsonl", "columns": {"question": "question", "reference": "answer"}}
DISTILL = {"kind": "distill", "questions": ASKED, "teacher": TEACHER}
AUGMENT = {"kind": "augment", "seeds": ASKED, "writer": TEACHER, "solver": TEACHER}
STUDY = {
    "name": "s",
    "base": {"path": "base"},
    "stage": "sft",
    "validated": [{"name": "mix", "weight": 1, "file": "mix.jsonl"}],
    "candidates": [{"name": "new", "recipe": DISTILL}, {"name": "file", "file": "new.jsonl"}],
    "tokens": 64 * 128 * 10,
    "anneal": {"sequence_length": 128, "global_batch": 64},
    "benchmarks": [{"name": "gsm8k", "limit": 10}],
}


def test_each_filter_that_is_on_can_be_left_out():
    recipe = Augment.model_validate(AUGMENT)
    assert filters(recipe) == ("overlap", "dedup", "judge")
    for name in filters(recipe):
        assert name not in filters(without(recipe, name))
        assert len(filters(without(recipe, name))) == 2


def test_a_filter_that_is_off_is_none():
    recipe = Distill.model_validate(DISTILL | {"dedup": None, "judge": {"mode": "none"}})
    assert filters(recipe) == ()
    with pytest.raises(ValueError, match="no filter 'overlap'"):
        without(recipe, "overlap")


def test_a_study_that_asks_has_an_arm_more_for_each_filter_of_a_recipe():
    study = parse_study(copy.deepcopy(STUDY) | {"attribute_filters": True}, "here")
    assert study.arms == ("control", "new", "file", "new-without-dedup", "new-without-judge")
    assert [source.name for source in study.sources] == ["mix", *study.arms[1:]]
    first, second = study.leave_one_out
    assert first.source.recipe.dedup is None and second.source.recipe.dedup == DedupConfig()
    assert (second.lacks.candidate, second.lacks.filter) == ("new", "judge")
    assert study.plan("new-without-judge", 1).candidate.share == study.plan("new", 1).candidate.share


def test_a_study_without_a_filter_to_leave_out_is_refused():
    off = {"name": "new", "recipe": DISTILL | {"dedup": None, "judge": {"mode": "none"}}}
    for candidates in ([off], STUDY["candidates"][1:]):
        declared = copy.deepcopy(STUDY) | {"attribute_filters": True, "candidates": candidates}
        with pytest.raises(StudyError, match="attribute_filters: no candidate is made by a recipe with a filter"):
            parse_study(declared, "here")


def test_a_study_that_does_not_ask_has_none():
    assert parse_study(STUDY, "here").arms == ("control", "new", "file")

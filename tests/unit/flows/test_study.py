import copy
import glob
from pathlib import Path

import pytest
import yaml

from flows.study import Runtime, Study, check_runtime, load_runtime, load_study, parse_study
from tasks.core.errors import StudyError

DECLARED = {
    "name": "s",
    "base": {"path": "base"},
    "stage": "sft",
    "validated": [{"name": "mix", "weight": 1, "file": "mix.jsonl"}],
    "candidates": [{"name": "new", "file": "new.jsonl"}],
    "tokens": 64 * 128 * 10 + 5,
    "anneal": {"sequence_length": 128, "global_batch": 64},
    "benchmarks": [{"name": "gsm8k", "limit": 10}],
}


def declared(**changes):
    return copy.deepcopy(DECLARED) | changes


def test_a_study_knows_its_arms_and_whole_steps():
    study = parse_study(declared(), "here")
    assert study.arms == ("control", "new")
    assert study.sequences == 640
    assert study.seeds == (1, 2, 3, 4, 5)
    control, arm = study.plan("control", 3), study.plan("new", 3)
    assert control.candidate is None
    assert (arm.candidate.name, arm.candidate.share, arm.candidate.unit) == ("new", 0.2, "tokens")


@pytest.mark.parametrize(("stage", "profile"), [("sft", "chat"), ("pretrain", "base")])
def test_the_prompt_profile_follows_the_stage(stage, profile):
    assert parse_study(declared(stage=stage), "here").evaluate.profile == profile


WRONG = {
    "tokens: 100 is less than one step": {"tokens": 100},
    "validated.0.weight": {"validated": [{"name": "mix", "weight": 0, "file": "m.jsonl"}]},
    "candidate_weight": {"candidate_weight": 1.0},
    "candidate_unit": {"candidate_unit": "bytes"},
    "unknown benchmark 'gsm9k'": {"benchmarks": [{"name": "gsm9k"}]},
    "'gsm8k' is listed twice": {"benchmarks": [{"name": "gsm8k"}, {"name": "gsm8k"}]},
    "the name 'mix' is taken": {"candidates": [{"name": "mix", "file": "n.jsonl"}]},
    "the name 'control' is taken": {"candidates": [{"name": "control", "file": "n.jsonl"}]},
    "give one of `file`, `hub` and `recipe`": {"candidates": [{"name": "new"}]},
    "compare.primary: 'math'": {"compare": {"primary": ["math"]}},
    "seeds must be different": {"seeds": [1, 1]},
    "from 0 to 4294967295": {"seeds": [1, 2**40]},
    "compare.primary: none of mmlu is of domain math": {"benchmarks": [{"name": "mmlu"}]},
    "validated": {"validated": 5},
    "evaluate.profile": {"evaluate": {"profile": "base"}},
    "needs a `revision`": {"base": {"hub": "owner/name"}},
    "give either `path` or `hub`": {"base": {}},
    "candidate_wieght": {"candidate_wieght": 0.1},
    "anneal.learning_rate": {"anneal": {"learning_rate": -1}},
    "`columns` names no `answer`": {"candidates": [{"name": "new", "file": "n.jsonl", "columns": {"question": "q"}}]},
}


@pytest.mark.parametrize("said", WRONG)
def test_a_study_that_makes_no_sense_says_where_and_what_to_do(said):
    with pytest.raises(StudyError) as caught:
        parse_study(declared(**WRONG[said]), "here")
    assert said in caught.value.message
    assert "nothing was started" in caught.value.message
    assert caught.value.remedy


def test_weights_are_shares_so_their_scale_changes_nothing():
    def plan(*weights):
        sources = [{"name": f"s{n}", "weight": weight, "file": "m.jsonl"} for n, weight in enumerate(weights)]
        return parse_study(declared(validated=sources), "here").plan("control", 1)

    assert plan(1, 2, 4) == plan(2, 4, 8) == plan(0.1, 0.2, 0.4)
    assert plan(1, 2, 4) != plan(1, 2, 5)


def test_a_folder_is_no_study(tmp_path):
    with pytest.raises(StudyError, match="is a directory"):
        load_study(tmp_path)


def test_what_looks_like_a_pattern_in_a_folders_name_is_none(tmp_path):
    folder = tmp_path / "st [v2]"
    folder.mkdir()
    (folder / "s.yaml").write_text(yaml.safe_dump(declared(candidates=[{"name": "new", "file": "new-*.jsonl"}])))
    (folder / "new-1.jsonl").write_text("")
    study = load_study(folder / "s.yaml")
    assert glob.glob(study.candidates[0].file) == [str(folder / "new-1.jsonl")]  # noqa: PTH207 - as ingest does
    assert study.base.path == str(folder / "base")


def test_a_hub_dataset_may_be_a_folder_beside_the_study(tmp_path):
    (tmp_path / "hub").mkdir()
    candidates = [{"name": "here", "hub": {"id": "hub"}}, {"name": "there", "hub": {"id": "owner/name"}}]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(declared(candidates=candidates)))
    here, there = load_study(tmp_path / "s.yaml").candidates
    assert (here.hub.id, there.hub.id) == (str(tmp_path / "hub"), "owner/name")


def test_relative_paths_start_at_the_study_file(tmp_path):
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(declared()))
    study = load_study(tmp_path / "s.yaml")
    assert study.base.path == str(tmp_path / "base")
    assert study.candidates[0].file == str(tmp_path / "new.jsonl")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("- a", "not a mapping"),
        (None, "no such file"),
        ("a: 1\nb: 2\na: 3\n", "'a' is given twice"),
    ],
)
def test_a_file_that_is_no_study(tmp_path, text, said):
    if text is not None:
        (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(StudyError, match=said):
        load_study(tmp_path / "s.yaml")


def test_a_study_survives_the_trip_through_prefects_json():
    study = parse_study(declared(), "here")
    assert Study.model_validate_json(study.model_dump_json()) == study


def test_runtime_is_apart_and_checked_against_the_study(tmp_path):
    (tmp_path / "r.yaml").write_text("anneal: {workers: 3}")
    runtime = load_runtime(tmp_path / "r.yaml")
    assert runtime.anneal.workers == 3
    with pytest.raises(StudyError, match="do not divide over 3 workers"):
        check_runtime(parse_study(declared(), "here"), runtime)
    assert load_runtime(None) == Runtime()


def test_the_shipped_study_is_one():
    shipped = Path(__file__).parents[3] / "deployments" / "studies" / "demo" / "study.yaml"
    assert load_study(shipped).arms == (
        "control",
        "distilled",
        "web-text",
        "more-of-the-same",
        "wrong-solutions",
    )

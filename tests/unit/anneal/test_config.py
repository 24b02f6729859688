"""What an anneal is: validation, identity, and how a batch divides."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.anneal.config import (
    AnnealConfig,
    AnnealJob,
    AnnealRuntime,
    accumulation,
    check_queue,
    identity,
    micro_batch,
    steps,
)
from tasks.core.errors import StudyError
from tasks.core.store import ArtifactRef


def ref(digest: str, rows: int = 64) -> ArtifactRef:
    return ArtifactRef(path=f"x/{digest}", digest=digest, num_rows=rows)


def job(**changes) -> AnnealJob:
    fields = {
        "name": "control/seed-1", "base": Path("base"), "base_digest": "b", "tokenizer": "t", "template": "c",
        "packs": {"math": ref("m"), "code": ref("k")}, "plan": ref("p"), "seed": 1,
        "config": AnnealConfig(global_batch=8, sequence_length=192),
    }  # fmt: skip
    return AnnealJob(**(fields | changes))


def test_the_identity_of_a_job_is_pinned():
    """A change here changes every key: raise STAGE_VERSION with it."""
    assert identity(job()).key == "95bc4b78ffd6d3d3e956ebcd60d973c069b17384ffc04488a5ba6d113f981a27"


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2}, {"base_digest": "other"}, {"tokenizer": "other"}, {"template": "other"}, {"plan": ref("other")},
        {"packs": {"math": ref("m"), "code": ref("other")}}, {"packs": {"math": ref("m")}},
        {"config": AnnealConfig(global_batch=8, sequence_length=192, dtype="float32")},
    ],
)  # fmt: skip
def test_what_changes_the_result_changes_the_key(changes):
    assert identity(job(**changes)).key != identity(job()).key


@pytest.mark.parametrize("changes", [{"name": "other"}, {"base": Path("elsewhere")}])
def test_names_and_places_do_not_change_the_key(changes):
    assert identity(job(**changes)).key == identity(job()).key


def test_nothing_of_the_runtime_is_in_the_key():
    text = identity(job()).model_dump_json()
    shared = set(AnnealRuntime.model_fields) & set(AnnealConfig.model_fields)
    assert not shared
    assert not any(f'"{name}"' in text for name in AnnealRuntime.model_fields)


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0}, {"betas": (0.9, 1.0)}, {"warmup": 1.0}, {"schedule": "cosine"}, {"dtype": "float16"},
        {"global_batch": 0}, {"sequence_length": 1}, {"clip": 0.0}, {"initialise": "zeros"}, {"learning_rte": 1.0},
    ],
)  # fmt: skip
def test_a_config_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        AnnealConfig(**wrong)


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"zero_stage": 4}, {"keep": 1}, {"checkpoint_every": 0}])
def test_a_runtime_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        AnnealRuntime(**wrong)


def test_offload_without_zero_is_refused():
    with pytest.raises(ValidationError, match="offload needs a zero_stage"):
        AnnealRuntime(offload=True, zero_stage=0)


def test_a_job_without_packs_is_refused():
    with pytest.raises(ValidationError, match="has no packs"):
        job(packs={})


@pytest.mark.parametrize(
    ("workers", "micro", "expected"), [(1, None, (8, 1)), (2, None, (4, 1)), (2, 2, (2, 2)), (1, 1, (1, 8))]
)
def test_a_batch_divides_over_workers_and_passes(workers, micro, expected):
    runtime = AnnealRuntime(workers=workers, micro_batch=micro)
    assert (micro_batch(job().config, runtime), accumulation(job().config, runtime)) == expected


@pytest.mark.parametrize(("workers", "micro"), [(3, None), (1, 3), (2, 8)])
def test_a_batch_that_does_not_divide_is_refused(workers, micro):
    with pytest.raises(StudyError, match="global_batch: 8 sequences do not divide"):
        check_queue([job()], AnnealRuntime(workers=workers, micro_batch=micro))


@pytest.mark.parametrize("rows", [0, 7, 60])
def test_a_plan_of_no_whole_steps_is_refused(rows):
    with pytest.raises(StudyError, match=r"not a multiple of global_batch 8"):
        steps(job(plan=ref("p", rows)))


def test_a_name_used_twice_is_refused():
    with pytest.raises(StudyError, match="used by more than one job"):
        check_queue([job(), job(seed=2)], AnnealRuntime())

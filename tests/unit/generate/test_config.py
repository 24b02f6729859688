"""What a config may say, what a preset fills in, and what a local teacher's files already tell."""

import json

import pytest
from pydantic import ValidationError

from tasks.core.errors import DataError, StudyError
from tasks.generate.artifact import teacher_digest
from tasks.generate.checks import check_teacher
from tasks.generate.config import GenerateConfig, GenerateRuntime, ModelRuntime, Teacher
from tasks.generate.presets import PRESETS
from tasks.generate.ray_cluster import check_resources


@pytest.mark.parametrize(
    ("teacher", "says"),
    [
        ({}, "named by path or hub"),
        ({"path": "a", "hub": "b/c", "revision": "d"}, "by one only"),
        ({"hub": "Qwen/QwQ-32B"}, "needs a `revision`"),
        ({"engine": "openai", "path": "a"}, "named by endpoint_model"),
        ({"engine": "openai", "endpoint_model": "m", "chat_template": "t"}, "has its own chat_template"),
    ],
)
def test_a_teacher_is_one_model(teacher, says):
    with pytest.raises(ValidationError, match=says):
        Teacher(**teacher)


def test_it_samples_or_scores():
    teacher = {"engine": "openai", "endpoint_model": "m"}
    with pytest.raises(ValidationError, match="either `sampling` or `scoring`"):
        GenerateConfig(model=teacher)
    with pytest.raises(ValidationError, match="either `sampling` or `scoring`"):
        GenerateConfig(model=teacher, sampling={}, scoring={})
    with pytest.raises(ValidationError, match="needs engine: vllm"):
        GenerateConfig(model=teacher, scoring={})


def test_a_runtime_makes_sense():
    with pytest.raises(ValidationError, match="needs gpus_per_actor 4"):
        GenerateRuntime(tensor_parallel=4, gpus_per_actor=1)
    with pytest.raises(ValidationError, match="needs a price"):
        GenerateRuntime(max_cost=3.0)


MANY = {
    "concurrency": 8, "retries": 1, "max_cost": 50.0,
    "models": {
        "/models/QwQ-32B": {"gpus_per_actor": 8, "tensor_parallel": 8, "device_price": 2.0},
        "judge-7b": {"base_url": "http://judge/v1", "concurrency": 64, "prompt_price": 0.1},
    },
}  # fmt: skip


@pytest.mark.parametrize("given", [MANY, GenerateRuntime.model_validate(MANY).model_dump()])
def test_each_model_runs_on_what_is_its_own_and_on_the_common_rest(given):
    runtime = GenerateRuntime.model_validate(given)
    big = runtime.of(Teacher(path="/models/QwQ-32B"))
    assert (big.tensor_parallel, big.device_price, big.concurrency, big.retries) == (8, 2.0, 8, 1)
    judge = runtime.of(Teacher(engine="openai", endpoint_model="judge-7b"))
    assert (judge.base_url, judge.concurrency, judge.gpus_per_actor, judge.max_cost) == ("http://judge/v1", 64, 0, 50.0)
    assert runtime.of(Teacher(path="/models/other")) == runtime.model_copy(update={"models": {}})
    assert big.of(Teacher(path="/models/QwQ-32B")) == big
    assert big.told(Teacher(path="/models/QwQ-32B")) == "/models/QwQ-32B on 1 x 8 GPU"
    assert judge.told(Teacher(engine="openai", endpoint_model="judge-7b")) == "judge-7b at http://judge/v1"


def test_a_model_is_known_by_its_whole_name_or_the_last_part_of_it():
    runtime = GenerateRuntime.model_validate({"models": {"QwQ-32B": {"actors": 2}, "/a/QwQ-32B": {"actors": 3}}})
    hub = Teacher(hub="Qwen/QwQ-32B", revision="c" * 40)
    assert [runtime.of(one).actors for one in (hub, Teacher(path="/a/QwQ-32B"), Teacher(path="/b"))] == [2, 3, 1]


def test_a_models_own_runtime_makes_sense_as_a_whole():
    with pytest.raises(ValidationError, match="needs gpus_per_actor 4"):
        GenerateRuntime.model_validate({"models": {"m": {"tensor_parallel": 4}}})
    with pytest.raises(ValidationError, match="max_tokens"):
        GenerateRuntime.model_validate({"models": {"m": {"max_tokens": 4}}})
    own = GenerateRuntime(actors=3, models={"m": ModelRuntime(retries=1)}).of(Teacher(path="m"))
    assert (own.actors, own.retries) == (3, 1)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_in_what_is_not_given(preset):
    config = GenerateConfig(model={"preset": preset, "revision": "c0ffee" * 6 + "beef"}, sampling={"top_p": 0.5})
    assert config.sampling.top_p == 0.5
    assert config.sampling.temperature == PRESETS[preset]["sampling"]["temperature"]
    assert config.model.revision == "c0ffee" * 6 + "beef"
    assert config == GenerateConfig.model_validate(config.model_dump())


def test_the_presets_name_gives_way_to_the_same_model_elsewhere():
    here = GenerateConfig(model={"preset": "qwq-32b", "path": "/models/qwq"})
    assert (here.model.path, here.model.hub, here.model.opening) == ("/models/qwq", None, "<think>\n")
    served = GenerateConfig(model={"preset": "qwq-32b", "engine": "openai", "endpoint_model": "qwq"})
    assert (served.sampling.top_k, served.sampling.min_p) == (40, 0.0)
    scored = GenerateConfig(model={"preset": "qwen3-32b", "revision": "c" * 40}, scoring={})
    assert scored.sampling is None
    with pytest.raises(StudyError, match="there is no 'gpt-9'"):
        GenerateConfig(model={"preset": "gpt-9"})


def write_model(folder, **config):
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 64} | config))
    return folder


def test_a_local_teacher_is_checked_by_its_files(tmp_path):
    with pytest.raises(StudyError, match=r"config\.json is missing"):
        teacher_digest(Teacher(path=str(tmp_path)))
    write_model(tmp_path)
    check_teacher(Teacher(path=str(tmp_path), max_model_len=64))
    with pytest.raises(StudyError, match="65 tokens, and the model has 64"):
        check_teacher(Teacher(path=str(tmp_path), max_model_len=65))
    with pytest.raises(DataError, match="no chat template"):
        check_teacher(Teacher(path=str(tmp_path)), chat=True)
    check_teacher(Teacher(path=str(tmp_path), chat_template="{{ messages }}"), chat=True)
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    check_teacher(Teacher(path=str(tmp_path)), chat=True)
    write_model(tmp_path, rope_scaling={"factor": 4.0})
    check_teacher(Teacher(path=str(tmp_path), max_model_len=200))


def test_a_teachers_digest_is_its_content_commit_or_name(tmp_path):
    write_model(tmp_path)
    assert len(teacher_digest(Teacher(path=str(tmp_path)))) == 64
    assert teacher_digest(Teacher(hub="a/b", revision="c" * 40)) == "a/b@" + "c" * 40
    assert teacher_digest(Teacher(engine="openai", endpoint_model="m")) == "m@"


def test_more_actors_than_the_cluster_holds_are_refused():
    check_resources(GenerateRuntime(actors=4, cpus_per_actor=0.5), {"CPU": 2.0})
    with pytest.raises(StudyError, match="3 with 1 CPU each need 3, and Ray has 2"):
        check_resources(GenerateRuntime(actors=3), {"CPU": 2.0})
    with pytest.raises(StudyError, match="2 with 1 GPU each need 2, and Ray has 1"):
        check_resources(GenerateRuntime(actors=2, gpus_per_actor=1), {"CPU": 9.0, "GPU": 1.0})

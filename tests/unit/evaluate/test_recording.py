from __future__ import annotations

import json

import pytest

from tasks.core.errors import DataError
from tasks.core.rows import REQUESTS, read_rows
from tasks.core.store import Store
from tasks.evaluate.config import STAGE_VERSION, EvaluateConfig, EvaluateRuntime
from tasks.evaluate.recording import read_recording, record, recording_identity

#: What the stage publishes of fixed requests. If this changes, raise STAGE_VERSION.
PINNED = (2, "22a392e836414cff123a5851aaa8f6b3e8aff9b989e61b18919d807b3a638fae")
ASKED = [{"row_id": f"r{i}", "sample": 0, "prompt": f"{i}+1?"} for i in range(3)]


@pytest.fixture
def engine(make):
    ending = {"max_output_tokens": 8, "stop": ("Q:",)}
    return make.tables((REQUESTS, ASKED, ending), (REQUESTS, ASKED[:1], {}))


def record_all(jobs, store, engine, config=None):
    return record(
        jobs, config=config or EvaluateConfig(), runtime=EvaluateRuntime(), store=store, engine=engine,
        on_progress=lambda progress: None,
    )  # fmt: skip


def key(job, config=None):
    return recording_identity(job, config or EvaluateConfig(), EvaluateRuntime()).key


def test_what_is_asked_is_published_by_how_its_answers_end(tmp_path, job, engine):
    store = Store(tmp_path / "store")
    [ref] = record_all([job()], store, engine)
    recording = read_recording(store, ref)
    assert (recording.benchmark, recording.context, ref.num_rows) == ("mine", 64, 4)
    [answered, scored] = recording.asked
    assert (answered.max_output_tokens, answered.stop) == (8, ("Q:",))
    assert (scored.max_output_tokens, scored.stop) == (None, ())
    assert [row["prompt"] for row in read_rows(store.folder(answered.requests))] == ["0+1?", "1+1?", "2+1?"]
    assert [row["row_id"] for row in read_rows(store.folder(scored.requests))] == ["r0"]
    assert answered.requests.columns == REQUESTS
    assert (STAGE_VERSION, ref.digest) == PINNED


def test_one_recording_serves_all_models_of_a_tokenizer(tmp_path, job, engine, model):
    store = Store(tmp_path / "store")
    (model / "tokenizer.json").write_text("{}")
    jobs = [job(digest=digest) for digest in "abc"]
    assert len({ref.path for ref in record_all(jobs, store, engine)}) == 1
    (model / "model.safetensors").write_text("other weights")
    record_all([job(digest="e")], store, engine)
    assert len(engine.asked) == 1


def test_what_changes_a_prompt_changes_the_key_and_what_answers_does_not(job, model):
    before = key(job())
    same = [EvaluateConfig(dtype="bfloat16"), EvaluateConfig(engine="vllm")]
    assert {before} == {key(job(), config) for config in same}
    assert before != key(job(), EvaluateConfig(profile="chat"))
    assert before != key(job(), EvaluateConfig(max_context=64))
    assert before != key(job(max_output_tokens=7))
    for name, text in (("tokenizer.json", "{}"), ("chat_template.jinja", "x"), ("config.json", json.dumps({"a": 1}))):
        (model / name).write_text(text)
        assert before != (before := key(job()))


def test_a_missing_model_stops_before_anything_starts(tmp_path, job, engine):
    gone = job().model_copy(update={"folder": str(tmp_path / "gone")})
    with pytest.raises(DataError, match=r"holds no model: config\.json is missing"):
        record_all([gone], Store(tmp_path / "store"), engine)
    assert engine.asked == []

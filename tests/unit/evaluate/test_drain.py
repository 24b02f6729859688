from __future__ import annotations

import pytest

from tasks.core.errors import DataError, IntegrityError, StudyError
from tasks.core.identity import Identity
from tasks.core.rows import DROPS, OUTCOMES, read_rows, write_rows
from tasks.core.store import Store
from tasks.evaluate.config import STAGE_VERSION, BenchmarkConfig, EvaluateConfig, EvaluateJob, EvaluateRuntime
from tasks.evaluate.drain import evaluate, identity_of

#: What the stage makes of a fixed result. If this changes, the meaning of a score did: raise STAGE_VERSION.
PINNED = (2, "58b86cf4e0ae6ae6a1ffa345b8864e99e8729777ddfa0d5ca506d71729e1105a")


def drain(jobs, store, engine, config=None, runtime=None):
    return evaluate(
        jobs, config=config or EvaluateConfig(), runtime=runtime or EvaluateRuntime(), store=store, engine=engine,
        on_progress=lambda progress: None,
    )  # fmt: skip


def test_scores_are_published_once_with_their_provenance(tmp_path, job, make):
    store, engine = Store(tmp_path / "store"), make.engine()
    [ref] = drain([job()], store, engine)
    assert [r["correct"] for r in read_rows(store.folder(ref))] == [1.0, 0.0, 1.0]
    provenance = store.manifest(ref).provenance
    assert provenance["accuracy"] == pytest.approx(66.666667)
    assert (provenance["items"], provenance["output_tokens"], provenance["engines"]) == (
        3,
        9,
        {"opencompass": "0.5.4"},
    )
    assert drain([job()], store, engine) == [ref]
    assert len(engine.asked) == 1


def test_the_stages_output_is_pinned_beside_its_version(tmp_path, job, make):
    [ref] = drain([job()], Store(tmp_path / "store"), make.engine())
    assert (STAGE_VERSION, ref.digest) == PINNED


def test_what_was_done_before_a_failure_is_kept_and_not_done_again(tmp_path, job, make):
    store = Store(tmp_path / "store")
    jobs = [job("one"), job("two"), job("three")]
    with pytest.raises(RuntimeError, match="stopped here"):
        drain(jobs, store, make.engine(fail_at="two"))
    engine = make.engine()
    assert len(drain(jobs, store, engine)) == 3
    assert [task.suite.name for task in engine.asked] == ["two", "three"]


@pytest.mark.parametrize(
    "changed",
    [
        {"digest": "e"},
        {"limit": 2},
        {"max_output_tokens": 7},
        {"stop_words": ("x",)},
        {"prompt": "{question}"},
        {"pattern": "x"},
        {"name": "other"},
    ],
)
def test_what_changes_a_score_changes_its_key(job, changed):
    config, runtime = EvaluateConfig(), EvaluateRuntime()
    assert identity_of(job(), config, runtime).key != identity_of(job(**changed), config, runtime).key


def test_the_files_content_is_identity_and_its_place_is_not(tmp_path, job, qa_file):
    config, runtime = EvaluateConfig(), EvaluateRuntime()
    before = identity_of(job(), config, runtime).key
    moved = tmp_path / "elsewhere.jsonl"
    moved.write_bytes(qa_file.read_bytes())
    assert identity_of(job(file=str(moved)), config, runtime).key == before
    qa_file.write_text(qa_file.read_text().replace("#### 1", "#### 9"))
    assert identity_of(job(), config, runtime).key != before


def test_engine_and_profile_are_identity_and_the_machine_is_not(job):
    def key(config=None, runtime=None) -> str:
        return identity_of(job(), config or EvaluateConfig(), runtime or EvaluateRuntime()).key

    assert key() == key(runtime=EvaluateRuntime(processes=7, batch_size=1, device="cuda", deadline=5))
    assert key() == key(EvaluateConfig(allow_unsandboxed_code=True))
    others = [
        EvaluateConfig(profile="chat"),
        EvaluateConfig(engine="stand_in.py:Model"),
        EvaluateConfig(dtype="bfloat16"),
    ]
    assert len({key(), *map(key, others)}) == 4


def test_a_missing_benchmark_file_stops_before_anything_starts(tmp_path, model, make):
    engine = make.engine()
    missing = EvaluateJob(name="m", folder=str(model), digest="d", benchmark=BenchmarkConfig(name="gsm8k"))
    with pytest.raises(DataError, match=r"benchmarks\.gsm8k: .*data/gsm8k/train\.jsonl and 1 more files not found"):
        drain([missing], Store(tmp_path / "store"), engine, runtime=EvaluateRuntime(data=str(tmp_path)))
    assert engine.asked == []


def test_a_missing_model_stops_before_anything_starts(tmp_path, job, make):
    gone = job().model_copy(update={"folder": str(tmp_path / "gone")})
    with pytest.raises(DataError, match=r"holds no model: config\.json is missing"):
        drain([gone], Store(tmp_path / "store"), make.engine())


def test_code_benchmarks_are_refused(tmp_path, model, make):
    asked = EvaluateJob(name="m", folder=str(model), digest="d", benchmark=BenchmarkConfig(name="humaneval"))
    with pytest.raises(StudyError, match="allow_unsandboxed_code"):
        drain([asked], Store(tmp_path / "store"), make.engine())


def publish_outcomes(store, dropped=()):
    def build(draft):
        draft.num_rows = write_rows(draft.folder, [], OUTCOMES)
        draft.num_dropped = write_rows(draft.folder / "dropped", dropped, DROPS)

    return store.produce(Identity.of("generate", 1, {"dropped": len(dropped)}, {}), build)


def test_answers_that_were_given_elsewhere_are_what_is_scored(tmp_path, job, make):
    store, engine = Store(tmp_path / "store"), make.engine()
    answers = publish_outcomes(store)
    asked = job().model_copy(update={"answers": (answers,)})
    [ref] = drain([asked], store, engine, EvaluateConfig(engine="vllm"))
    assert engine.asked[0].answers == (str(store.folder(answers)),)
    assert store.manifest(ref).sources["answers-0"] == answers.path
    # They say how the scores were come by; what the scores are is up to model and benchmark.
    assert identity_of(asked, EvaluateConfig(engine="vllm"), EvaluateRuntime()) == identity_of(
        job(), EvaluateConfig(engine="vllm"), EvaluateRuntime()
    )


def test_a_request_without_an_answer_is_named_and_nothing_is_scored(tmp_path, job, make):
    store, engine = Store(tmp_path / "store"), make.engine()
    drop = {"row_id": "r1", "reason": "over the context length", "detail": "the prompt has 900 tokens"}
    asked = job().model_copy(update={"answers": (publish_outcomes(store, [drop]),)})
    with pytest.raises(IntegrityError, match="1 requests were not answered, the first of them r1: over the context"):
        drain([asked], store, engine, EvaluateConfig(engine="vllm"))
    assert engine.asked == []


def test_without_answers_there_is_nothing_to_replay(tmp_path, job, make):
    with pytest.raises(IntegrityError, match="m on mine: there are no answers"):
        drain([job()], Store(tmp_path / "store"), make.engine(), EvaluateConfig(engine="vllm"))

"""The evaluate stage on the real OpenCompass: its prompts and scoring, a tiny real model, kills and failures."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import evaluate_cases as cases
import pytest
from tiny_qwen import make_tiny_qwen

from tasks.core.errors import EngineError, InfrastructureError
from tasks.core.rows import read_rows
from tasks.core.store import Store
from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig, EvaluateJob, EvaluateRuntime
from tasks.evaluate.drain import evaluate, identity_of
from tasks.evaluate.opencompass import OpenCompass

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

PYTHON = Path(os.environ.get("ASSAY_EVAL_PYTHON", ROOT / ".venv-eval" / "bin" / "python"))

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs the evaluation environment"),
]


def stand_in(name: str) -> str:
    return f"{HERE / 'gold_model.py'}:{name}"


def runtime(**changes) -> EvaluateRuntime:
    return EvaluateRuntime(
        **{"python": str(PYTHON), "data": str(cases.SMALL), "processes": 1, "deadline": 300, **changes}
    )


@pytest.fixture(scope="module")
def no_model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("none")
    (folder / "config.json").write_text("{}")
    return folder


def run(store: Path, folder: Path, benchmarks, where: EvaluateRuntime, digest: str = "d", **how):
    jobs = [
        EvaluateJob(name="m", folder=str(folder), digest=digest * 64, benchmark=BenchmarkConfig(**b))
        for b in benchmarks
    ]
    config = EvaluateConfig(allow_unsandboxed_code=True, **how)
    opened = Store(store)
    engine = OpenCompass(where, opened.work)
    refs = evaluate(jobs, config=config, runtime=where, store=opened, engine=engine, on_progress=lambda p: None)
    found = {}
    for benchmark, ref in zip(benchmarks, refs, strict=True):
        found[benchmark["name"]] = (list(read_rows(opened.folder(ref))), opened.manifest(ref).provenance)
    return found


@pytest.mark.parametrize("profile", ["base", "chat"])
@pytest.mark.parametrize(("who", "score"), [("GoldModel", 100.0), ("WrongModel", 0.0)])
def test_gold_answers_score_100_on_every_benchmark_and_wrong_ones_0(tmp_path, no_model, profile, who, score):
    found = run(tmp_path, no_model, cases.CASES, runtime(), profile=profile, engine=stand_in(who))
    assert {name: provenance["accuracy"] for name, (_, provenance) in found.items()} == dict.fromkeys(
        cases.ITEMS, score
    )
    assert {name: len(rows) for name, (rows, _) in found.items()} == cases.ITEMS
    assert len({row["cluster"] for row in found["drop"][0]}) == 2  # two passages
    assert len({row["cluster"] for row in found["mmlu"][0]}) == 2  # two subjects
    assert len({row["cluster"] for row in found["my_qa"][0]}) == 2  # two stories
    for rows, _ in found.values():
        assert len({row["item"] for row in rows}) == len(rows)


@pytest.mark.skipif(not cases.WHOLE.is_dir(), reason="needs whole benchmark files")
@pytest.mark.parametrize("profile", ["base", pytest.param("chat", marks=pytest.mark.slow)])
def test_gold_answers_score_100_on_whole_benchmarks(tmp_path, no_model, profile):
    benchmarks = cases.whole_files(tmp_path / "files")
    where = runtime(data=str(tmp_path / "files"), processes=2)
    found = run(tmp_path / "store", no_model, benchmarks, where, engine=stand_in("GoldModel"), profile=profile)
    assert {name: provenance["accuracy"] for name, (_, provenance) in found.items()} == {
        b["name"]: 100.0 for b in benchmarks
    }


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_qwen(tmp_path_factory.mktemp("tiny"), (cases.SMALL / "data/gsm8k/train.jsonl").read_text())


TINY_QA = {**cases.CASES[-2], "few_shot": 0, "few_shot_file": None, "max_output_tokens": 24}


def test_a_real_model_is_scored_as_transformers_itself_would_answer(tmp_path, tiny):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    found = run(tmp_path, tiny, [TINY_QA, cases.CASES[-1], cases.CASES[0]], runtime())
    tokenizer, model = AutoTokenizer.from_pretrained(tiny), AutoModelForCausalLM.from_pretrained(tiny).eval()
    source = [json.loads(line) for line in Path(TINY_QA["file"]).read_text().splitlines()]
    for row, asked in zip(found["my_qa"][0], source, strict=True):
        prompt = tokenizer(f"Question: {asked['question']}\nAnswer:", return_tensors="pt")
        whole = tokenizer(f"Question: {asked['question']}\nAnswer: {asked['solution']}", return_tensors="pt")
        start = prompt["input_ids"].shape[1]
        with torch.no_grad():
            out = model.generate(**prompt, do_sample=False, max_new_tokens=24, pad_token_id=0)[0, start:]
            logits = model(**whole).logits[0, :-1].log_softmax(-1)
        nll = -logits.gather(1, whole["input_ids"][0, 1:, None])[start - 1 :].sum().item()
        assert row["prediction"] == tokenizer.decode(out, skip_special_tokens=True)
        assert row["truncated"] == (0 not in out.tolist())
        assert row["bits"] == pytest.approx(nll / math.log(2), rel=1e-4)
        assert row["bytes"] == len(" " + asked["solution"])
    assert all(row["bytes"] == 1 and row["bits"] > 0 for row in found["my_choice"][0] + found["mmlu"][0])


def test_neither_batch_size_nor_processes_change_a_result_or_a_key(tmp_path, tiny):
    benchmarks = [TINY_QA, {"name": "gsm8k", "limit": 4, "max_output_tokens": 8}]
    together = run(tmp_path / "a", tiny, benchmarks, runtime(batch_size=64), profile="chat")
    alone = run(tmp_path / "b", tiny, benchmarks, runtime(batch_size=1, processes=2), profile="chat")
    for name in together:
        for a, b in zip(together[name][0], alone[name][0], strict=True):
            assert {**a, "bits": 0} == {**b, "bits": 0}
            # GSM8K's gold solutions do not fit this model's context, so they have no bits
            assert a["bits"] == b["bits"] or a["bits"] == pytest.approx(b["bits"], rel=1e-4)
    assert together["gsm8k"][1]["engines"]["opencompass"] == "0.5.4"
    assert together["gsm8k"][1]["output_tokens"] > 0


def test_a_failure_inside_opencompass_is_an_error_with_the_logs_tail_and_nothing_is_published(tmp_path, no_model):
    with pytest.raises(EngineError) as caught:
        run(tmp_path, no_model, [TINY_QA], runtime(), engine=stand_in("FailingModel"))
    assert not isinstance(caught.value, InfrastructureError)
    assert "no tensors today" in caught.value.message
    assert "the tensor cores are on strike" in caught.value.message
    assert list(Store(tmp_path).manifests()) == []


def test_files_with_too_few_items_are_an_error_unless_the_study_says_so(tmp_path, no_model):
    with pytest.raises(EngineError, match="gsm8k has 6 items in these files, and should have 1319"):
        run(tmp_path, no_model, [{"name": "gsm8k"}], runtime(), engine=stand_in("GoldModel"))


_KILLED = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tasks.core.store import Store
from tasks.evaluate.config import *
from tasks.evaluate.drain import evaluate
from tasks.evaluate.opencompass import OpenCompass
jobs = [EvaluateJob.model_validate_json(line) for line in Path({jobs!r}).read_text().splitlines()]
runtime = EvaluateRuntime.model_validate_json({runtime!r})
store = Store(Path({store!r}))
evaluate(jobs, config=EvaluateConfig(engine={engine!r}), runtime=runtime, store=store,
         engine=OpenCompass(runtime, store.work), on_progress=lambda p: print(p.done, flush=True))
"""


def test_after_a_kill_no_finished_benchmark_is_done_again_and_no_driver_is_left(tmp_path, no_model):
    names = ["gsm8k", "aime_2024", "aime_2025", "math"]
    jobs = [
        EvaluateJob(name="m", folder=str(no_model), digest="d" * 64, benchmark=BenchmarkConfig(name=name, limit=3))
        for name in names
    ]
    where, engine = runtime(), stand_in("SlowModel")
    (tmp_path / "jobs").write_text("\n".join(job.model_dump_json() for job in jobs))
    program = _KILLED.format(
        root=str(ROOT), jobs=str(tmp_path / "jobs"), runtime=where.model_dump_json(), engine=engine,
        store=str(tmp_path / "store"),
    )  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert any(line.strip() == "2" for line in process.stdout)  # two are done, the third is at work
    drivers = _children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert drivers
    _wait_until_gone(drivers)

    store, config = Store(tmp_path / "store"), EvaluateConfig(engine=engine)
    first = {manifest.key: manifest.created for _, manifest in store.manifests()}
    assert len(first) == 2
    identities = [identity_of(job, config, where) for job in jobs]
    engine = OpenCompass(where, store.work)
    evaluate(jobs, config=config, runtime=where, store=store, engine=engine, on_progress=lambda p: None)
    after = {manifest.key: manifest.created for _, manifest in store.manifests()}
    assert set(after) == {identity.key for identity in identities}
    assert {key: after[key] for key in first} == first


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _wait_until_gone(pids: list[int]) -> None:
    end = time.monotonic() + 10
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < end, "a driver outlived its parent"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"

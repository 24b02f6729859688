"""Evaluation in two passes with `generate` between them: real OpenCompass and vLLM, the scores of transformers."""

from __future__ import annotations

import os
from pathlib import Path

import evaluate_cases as cases
import pytest
import yaml
from tiny_qwen import make_tiny_qwen

from flows.evaluating import generate_config
from tasks.core.errors import EngineError
from tasks.core.identity import Identity
from tasks.core.rows import OUTCOMES, read_rows, write_rows
from tasks.core.store import ArtifactRef, Store
from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig, EvaluateJob, EvaluateRuntime
from tasks.evaluate.drain import evaluate
from tasks.evaluate.opencompass import OpenCompass
from tasks.evaluate.recording import read_recording, record
from tasks.generate.answer import answer
from tasks.generate.config import GenerateRuntime

PYTHON = Path(os.environ.get("ASSAY_EVAL_PYTHON", Path(__file__).parents[2] / ".venv-eval" / "bin" / "python"))

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # vLLM's own
    pytest.mark.skipif(not PYTHON.exists(), reason="needs the evaluation environment"),
]

GSM8K = {"name": "gsm8k", "limit": 4, "max_output_tokens": 40}
MMLU = {"name": "mmlu", "subsets": ("abstract_algebra",)}
MY_QA = {**cases.CASES[-2], "max_output_tokens": 24}
RUNTIME = EvaluateRuntime(python=str(PYTHON), data=str(cases.SMALL), processes=1, deadline=600)
ANSWERING = GenerateRuntime(gpu_memory_utilization=0.1)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_qwen(tmp_path_factory.mktemp("tiny"), (cases.SMALL / "data/gsm8k/train.jsonl").read_text())


class Evaluation:
    """Some benchmarks to score a model on."""

    def __init__(self, store: Path, model: Path, benchmarks: list[dict], profile: str = "base") -> None:
        self.store, self.profile = Store(store), profile
        self.jobs = [
            EvaluateJob(name="m", folder=str(model), digest="d" * 64, benchmark=BenchmarkConfig(**benchmark))
            for benchmark in benchmarks
        ]

    def config(self, engine: str) -> EvaluateConfig:
        return EvaluateConfig(profile=self.profile, engine=engine)

    def call(self, function, engine: str, jobs: list[EvaluateJob]) -> list[ArtifactRef]:
        return function(
            jobs, config=self.config(engine), runtime=RUNTIME, store=self.store,
            engine=OpenCompass(RUNTIME, self.store.work), on_progress=lambda progress: None,
        )  # fmt: skip

    def scores(self, engine: str, jobs: list[EvaluateJob] | None = None) -> list[tuple[list[dict], dict]]:
        refs = self.call(evaluate, engine, jobs or self.jobs)
        return [(list(read_rows(self.store.folder(ref))), self.store.manifest(ref).provenance) for ref in refs]

    def answered(self, answers) -> list[EvaluateJob]:
        """Return the jobs with what `answers(job, recording, asked)` publishes for each part of what they ask."""
        recordings = [read_recording(self.store, ref) for ref in self.call(record, "vllm", self.jobs)]
        return [
            job.model_copy(update={"answers": tuple(answers(job, recording, asked) for asked in recording.asked)})
            for job, recording in zip(self.jobs, recordings, strict=True)
        ]

    def by_generate(self, job, recording, asked) -> ArtifactRef:
        config = generate_config(job, self.config("vllm"), recording, asked)
        return answer(job.name, config, asked.requests, ANSWERING, self.store, report=lambda progress: None)


@pytest.mark.parametrize(("profile", "benchmarks"), [("base", [GSM8K, MMLU, MY_QA]), ("chat", [GSM8K])])
def test_vllm_and_transformers_give_every_item_the_same_score(tmp_path, tiny, profile, benchmarks):
    asked = Evaluation(tmp_path / "store", tiny, benchmarks, profile)
    replayed = asked.scores("vllm", asked.answered(asked.by_generate))
    computed = asked.scores("transformers")
    for (rows, provenance), (expected, of) in zip(replayed, computed, strict=True):
        assert [{**row, "bits": None} for row in rows] == [{**row, "bits": None} for row in expected]
        for row, own in zip(rows, expected, strict=True):
            assert row["bits"] == (own["bits"] if own["bits"] is None else pytest.approx(own["bits"], rel=1e-4))
        for measured in ("accuracy", "truncated", "prompts_cut", "output_tokens"):
            assert provenance[measured] == of[measured]
    # What was compared is not all empty, and the few-shot prompts do not fit the model's context.
    assert all(row["prediction"] for rows, _ in replayed for row in rows)
    assert any(row["bits"] for rows, _ in replayed for row in rows)
    assert replayed[0][1]["prompts_cut"] > 0


def _last_is_missing(rows: list[dict]) -> list[dict]:
    return rows[:-1]


def _last_was_read_otherwise(rows: list[dict]) -> list[dict]:
    return [*rows[:-1], rows[-1] | {"token_ids": [7 for _ in rows[-1]["token_ids"]]}]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_last_is_missing, r"request [0-9a-f]{32} has no answer: .*Answer: "),
        (_last_was_read_otherwise, r"the engine read other tokens .*Answer: "),
    ],
)
def test_an_answer_that_is_missing_or_anothers_is_an_error_that_names_the_request(tmp_path, tiny, spoil, message):
    from transformers import AutoTokenizer

    asked, tokenizer = Evaluation(tmp_path / "store", tiny, [MMLU]), AutoTokenizer.from_pretrained(tiny)

    def answers(job, recording, part) -> ArtifactRef:
        rows = []
        for row in read_rows(asked.store.folder(part.requests)):
            ids = tokenizer(row["prompt"])["input_ids"]
            scored = {"token_ids": ids[1:], "token_logprobs": [-1.0] * (len(ids) - 1)}
            rows.append({"row_id": row["row_id"], "prompt_tokens": len(ids), **scored})

        def build(draft):
            draft.num_rows = write_rows(draft.folder, spoil(rows), OUTCOMES)

        return asked.store.produce(Identity.of("generate", 1, {}, {"requests": part.requests.digest}), build)

    with pytest.raises(EngineError, match=message):
        asked.scores("vllm", asked.answered(answers))
    assert not list(asked.store.manifests("evaluate"))


@pytest.mark.slow
def test_a_study_has_the_same_scores_by_either_engine(small_study):
    declared = yaml.safe_load(small_study.file.read_text())
    declared |= {"seeds": [1], "candidates": declared["candidates"][:1]}
    (small_study.folder / "runtime.yaml").write_text(yaml.safe_dump({"generate": {"gpu_memory_utilization": 0.1}}))
    found = {}
    for engine in ("transformers", "vllm"):
        small_study.file.write_text(yaml.safe_dump(declared | {"evaluate": {"engine": engine}}))
        settings = ("--runtime", small_study.folder / "runtime.yaml", "--anyway")  # one seed shows nothing of the data
        done = small_study.assay("run", small_study.file, *settings, timeout=600)
        assert done.returncode == 0, done.stderr[-4000:]
        found[engine] = _scores_of(Store(small_study.folder / "store"), engine)
    assert len(found["vllm"]) == 2
    assert found["vllm"] == found["transformers"]
    # Two models of one tokenizer were asked the same, and the same again without work.
    assert len(small_study.artifacts("record")) == 1
    before = small_study.artifacts()
    assert small_study.assay("run", small_study.file, timeout=600).returncode == 0
    assert small_study.artifacts() == before


def _scores_of(store: Store, engine: str) -> dict[str, list[dict]]:
    """Return every model's scores by an engine, but for the bits, which two engines round differently."""
    return {
        manifest.identity.inputs["model"]: [{**row, "bits": None} for row in read_rows(store.folder(ref))]
        for ref, manifest in store.manifests("evaluate")
        if manifest.identity.config["engine"] == engine
    }

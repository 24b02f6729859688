from __future__ import annotations

import pytest

from flows.evaluating import generate_config
from tasks.core.store import ArtifactRef
from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig, EvaluateJob
from tasks.evaluate.recording import Asked, Recording

JOB = EvaluateJob(name="m", folder="/models/m", digest="d", benchmark=BenchmarkConfig(name="gsm8k"))
REQUESTS = ArtifactRef(path="requests/1", digest="r", num_rows=2)


@pytest.fixture
def config():
    def of(limit: int | None, stop: tuple[str, ...] = ()):
        asked = Asked(requests=REQUESTS, max_output_tokens=limit, stop=stop)
        recording = Recording(benchmark="gsm8k", context=512, asked=(asked,))
        return generate_config(JOB, EvaluateConfig(dtype="bfloat16", engine="vllm"), recording, asked)

    return of


def test_prompts_are_answered_greedily_by_the_arm_itself_in_the_studys_precision(config):
    found = config(40, ("Question",))
    assert (found.model.path, found.model.dtype, found.model.max_model_len) == ("/models/m", "bfloat16", 512)
    sampling = found.sampling
    assert (sampling.temperature, sampling.max_output_tokens, sampling.stop) == (0.0, 40, ("Question",))
    assert (sampling.repetition_penalty, sampling.presence_penalty) == (1.0, 0.0)
    assert sampling.top_logprobs == 0  # without them no tokens are stored, and the replay reads tokens


def test_texts_without_a_limit_are_scored(config):
    found = config(None)
    assert found.sampling is None
    assert found.scoring.top_logprobs == 0

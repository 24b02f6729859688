"""What vLLM is asked for, what its log-probabilities become, and which actor gets the next shard. No engine starts."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from tasks.core.errors import EngineError, StudyError
from tasks.generate.config import GenerateConfig, GenerateRuntime, Sampling, Scoring, Teacher
from tasks.generate.prompts import seed_of
from tasks.generate.vllm_engine import Placement, columns, engine_options, not_loaded, request_options
from tasks.generate.vllm_pool import VllmPool

ROW = {"row_id": "r", "sample": 1}
CPU, GPUS = Placement(False, 1, 0.5), Placement(True, 4, 0.9)


def test_an_engine_on_a_cpu_does_not_chunk_prefill():
    options = engine_options(Teacher(path="m", dtype="float32", max_model_len=9000), CPU)
    assert (options["enable_chunked_prefill"], options["max_model_len"]) == (False, 9000)
    assert (options["load_format"], options["enable_prefix_caching"]) == ("safetensors", True)


def test_weights_are_split_over_gpus_by_ray():
    options = engine_options(Teacher(hub="a/b", revision="c" * 40), GPUS)
    assert (options["tensor_parallel_size"], options["distributed_executor_backend"]) == (4, "ray")
    assert "enable_chunked_prefill" not in options and "max_model_len" not in options


def test_a_greedy_request_has_no_seed_and_a_sampled_one_its_own():
    assert request_options(Sampling(temperature=0), ROW)["seed"] is None
    assert request_options(Sampling(seed=5), ROW)["seed"] == seed_of(5, "r", 1)
    scored = request_options(Scoring(top_logprobs=3), ROW)
    assert (scored["prompt_logprobs"], scored["max_tokens"]) == (3, 1)


def test_log_probabilities_are_flattened_best_first():
    flat = SimpleNamespace(start_indices=[0, 0, 3], end_indices=[0, 3, 6], token_ids=[9, 1, 2, 1, 1, 3],
                           logprobs=[-4.0, -0.1, -2.0, -0.3, -0.3, -1.5])  # fmt: skip
    assert columns(flat, 1) == {
        "token_ids": [9, 1], "token_logprobs": [-4.0, -0.3], "top_ids": [1, 2, 1, 3],
        "top_logprobs": [-0.1, -2.0, -0.3, -1.5],
    }  # fmt: skip


def test_what_vllm_says_of_a_model_is_said_with_a_remedy():
    teacher = Teacher(path="m")
    long = ValueError("User-specified max_model_len (900) is greater than the derived max_model_len (512)\nmore")
    assert isinstance(not_loaded(teacher, long), StudyError)
    assert "safetensors" in str(not_loaded(teacher, RuntimeError("no safetensors weights found")))
    assert type(not_loaded(teacher, MemoryError("much"))) is EngineError


@pytest.mark.parametrize(
    ("given", "left", "room"),
    [
        ([0, 0], 9, 4),  # both may prepare one ahead
        ([1, 0], 9, 3),
        ([0, 0], 2, 2),  # the last two go to one each
        ([1, 0], 1, 1),
        ([1, 1], 1, 0),  # the last one waits for whoever is free first
        ([1, None], 1, 0),  # or for the one that still loads
        ([2, 2], 9, 0),
    ],
)
def test_an_actor_prepares_ahead_only_what_no_other_will_want(given, left, room):
    config = GenerateConfig(model={"path": "m"}, sampling={})
    pool = VllmPool(config, GenerateRuntime(actors=2), None)
    pool._seats = [SimpleNamespace(open=n is not None, given=dict.fromkeys(range(n or 0))) for n in given]
    assert pool.room(left) == room


def test_no_engine_is_imported_with_the_task():
    code = (
        "import sys, tasks.generate.task, tasks.generate.vllm_pool, tasks.generate.endpoint\n"
        "print([m for m in ('torch', 'transformers', 'vllm', 'ray', 'openai', 'pyarrow') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"

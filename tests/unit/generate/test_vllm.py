"""What vLLM is asked for, what its log-probabilities become, and which actor gets the next shard. No engine starts."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks.core.errors import EngineError, StudyError
from tasks.generate.config import GenerateConfig, GenerateRuntime, Sampling, Scoring, Teacher
from tasks.generate.engine import Attempt
from tasks.generate.prompts import seed_of
from tasks.generate.ray_seats import Seat
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
    config = GenerateConfig(model={"path": "m"}, sampling={"temperature": 0})
    pool = VllmPool(config, GenerateRuntime(actors=2), None)
    pool._seats = [SimpleNamespace(open=n is not None, given=dict.fromkeys(range(n or 0))) for n in given]
    assert pool.room(left) == room


def test_what_is_streamed_is_handed_out_while_there_is_room():
    pool = VllmPool(GenerateConfig(model={"path": "m"}, sampling={"temperature": 1}), GenerateRuntime(actors=2), None)
    pool._seats = [SimpleNamespace(open=True, given=dict.fromkeys(range(n))) for n in (4, 1)]
    assert pool.room(1) == pool.room(9) == 3


def seat_of(pool, *, given):
    seat = Seat(actor=None, kind="", mark="", group=None, opening="opening", since=0.0, open=True)
    seat.given = dict.fromkeys(given, "attempt")
    pool._seats = [seat]
    return seat


def test_of_attempts_that_died_together_each_gets_an_engine_to_itself(monkeypatch):
    """One row kills its engine: which one is found out before anything is charged, so no other row pays for it."""
    monkeypatch.setattr("tasks.generate.vllm_pool.end_seat", lambda seat: None)
    monkeypatch.setattr("tasks.generate.vllm_pool.new_seat", lambda *_: replace(seat, given={}))
    pool = VllmPool(GenerateConfig(model={"path": "m"}, sampling={"temperature": 1}), GenerateRuntime(actors=1), None)
    seat = seat_of(pool, given=[])
    attempts = [Attempt(shard=n, requests=Path("r"), answers=Path("a"), rows=1) for n in (7, 8)]
    seat.given = dict(zip(("first", "second"), attempts, strict=True))
    pool._replace(seat, "its process died", attempts[0])
    assert [(lost.attempt.shard, lost.begun) for lost in pool._events] == [(7, False), (8, False)]
    assert pool.room(9) == 1
    for attempt in attempts:
        pool._seats[0].given = {"again": attempt}
        assert pool.room(9) == 0
        if attempt.shard == 7:
            pool._replace(pool._seats[0], "its process died")
        else:
            pool._take(pool._seats[0], "again", "answered")
    assert [lost.begun for lost in pool._events[2:3]] == [True]
    assert pool.room(9) == 4


def test_a_shard_may_take_as_long_as_it_needs_while_answers_come(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("tasks.generate.vllm_pool.time", SimpleNamespace(monotonic=lambda: clock.now))
    pool = VllmPool(GenerateConfig(model={"path": "m"}, sampling={}), GenerateRuntime(deadline_seconds=60), None)
    seat = seat_of(pool, given=["shard"])
    seat.since = clock.now
    for finished in range(1, 100):
        clock.now += 50.0
        seat.pulse = "pulse"
        pool._take(seat, "pulse", finished)
        assert pool._late(seat) is None
    for _ in range(2):  # it still says how many, and they are no more
        clock.now += 40.0
        seat.pulse = "pulse"
        pool._take(seat, "pulse", 99)
    assert "it finished no answer within 60 s" in pool._late(seat)


def test_an_actor_at_work_is_asked_how_it_does_once_at_a_time(monkeypatch):
    asked = []
    pool = VllmPool(GenerateConfig(model={"path": "m"}, sampling={}), GenerateRuntime(), None)
    seat = seat_of(pool, given=["shard"])
    seat.actor = SimpleNamespace(finished=SimpleNamespace(remote=lambda: asked.append(1) or "pulse"))
    pool._feel()
    pool._feel()
    assert (len(asked), seat.awaited) == (1, ["shard", "pulse"])
    pool._take(seat, "pulse", 3)
    seat.given.clear()
    seat.felt = 0.0
    pool._feel()
    assert (len(asked), seat.awaited) == (1, [])


def test_no_engine_is_imported_with_the_task():
    code = (
        "import sys, tasks.generate.task, tasks.generate.vllm_pool, tasks.generate.endpoint\n"
        "print([m for m in ('torch', 'transformers', 'vllm', 'ray', 'openai', 'pyarrow') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"

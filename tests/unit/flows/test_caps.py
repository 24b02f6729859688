"""What a run has spent, told from the store: each set of answers once, however it is reached, whoever asked for it."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

import flows.evaluating
import flows.workshop
from flows.caps import spent_on
from flows.study import Runtime
from flows.workshop import Workshop
from tasks.core.errors import BudgetReached
from tasks.core.identity import Identity
from tasks.core.store import Store
from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig, EvaluateJob
from tasks.evaluate.recording import Asked, Recording
from tasks.generate.answer import answer
from tasks.generate.budget import NOTHING, Spent
from tasks.generate.config import GenerateConfig, GenerateRuntime
from tests.unit.generate.conftest import Scripted, prompts
from tests.unit.generate.conftest import publish as publish_requests

CAPPED = GenerateRuntime(max_tokens=10**6)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def publish(store, stage, name, *sources, **provenance):
    def build(draft):
        (draft.folder / "rows").write_text(name)
        draft.sources = {str(n): ref.path for n, ref in enumerate(sources)} | {"teacher": "some/model"}
        draft.provenance = provenance

    return store.produce(Identity.of(stage, 1, {"name": name}, {}), build)


def answers(store, name, *sources, tokens, cost):
    return publish(store, "generate", name, *sources, prompt_tokens=tokens - 1, output_tokens=1, cost=cost)


def test_every_set_of_answers_behind_a_run_counts_once(store):
    written = answers(store, "writer", tokens=100, cost=1.5)
    solved = answers(store, "solver", publish(store, "problems", "p", written), tokens=30, cost=0.25)
    one = publish(store, "recipe", "one", publish(store, "keep", "k", solved, written), tokens=130, cost=1.75)
    other = publish(store, "recipe", "other", written, tokens=100, cost=1.5)
    assert spent_on(store, [one], CAPPED) == Spent(130, 1.75)
    assert spent_on(store, [one, other, written], CAPPED) == Spent(130, 1.75)
    assert spent_on(store, [other], CAPPED) == Spent(100, 1.5)
    assert spent_on(store, [], CAPPED) == NOTHING


def test_without_a_cap_nobody_looks(store):
    assert spent_on(store, [answers(store, "a", tokens=5, cost=1.0)], GenerateRuntime()) == NOTHING


def test_a_recipe_that_asks_twice_stops_at_one_cap_over_both_and_goes_on_past_it(store):
    """Writer, then solver: what lies behind the solver's requests counts, and what the run made before them."""
    config = GenerateConfig(model={"engine": "scripted", "endpoint_model": "s"}, sampling={}, shard_rows=4)

    def ask(requests, cap, *beside):
        runtime = GenerateRuntime(max_tokens=cap)
        before = spent_on(store, [*beside, requests], runtime)
        how = {"report": lambda _: None, "before": before, "open_engine": Scripted()}
        return answer("r", config, requests, runtime, store, **how)

    first = ask(publish_requests(store, prompts(8)), 10**6)
    took = spent_on(store, [first], CAPPED).tokens
    second = publish_requests(store, prompts(20))
    with pytest.raises(BudgetReached, match=rf"{took:,} of them on earlier steps; 0 of 20"):
        ask(second, took, first)
    with pytest.raises(BudgetReached, match=r"[1-9]\d* of 20 requests are answered"):
        ask(second, took + 10, first)
    assert ask(second, 10**6, first).num_rows == 20


@pytest.fixture
def asked(monkeypatch):
    """What each `generate` of the flows was told had been spent before; nothing is asked, each takes 10 tokens."""
    told = []

    def generate(name, config, requests, runtime, store_root, *, before, report):
        told.append(before.tokens)
        return answers(Store(store_root), f"{name}-{requests.path}-{config.model.name}", requests, tokens=10, cost=0.0)

    for module in (flows.workshop, flows.evaluating):
        monkeypatch.setattr(module, "generate", generate)
        monkeypatch.setattr(module, "GenerateProgress", lambda name: nullcontext())
        monkeypatch.setattr(module, "device", lambda *_: nullcontext())
    return told


def test_a_recipes_steps_and_what_its_study_made_before_are_told_to_each_other(store, asked):
    runtime = Runtime(store=store.root, generate=CAPPED)
    earlier = publish(store, "recipe", "earlier", answers(store, "before", tokens=100, cost=0.0))
    shop = Workshop("made", runtime, None, (earlier,))
    model = GenerateConfig(model={"engine": "openai", "endpoint_model": "m"}, sampling={})
    first = shop._generated(model, publish(store, "prompt", "one"))
    shop._generated(model, publish(store, "prompt", "two", publish(store, "judge", "v", first)))
    assert asked == [100, 110]


def test_an_evaluation_through_generate_counts_what_the_study_asked_before_and_its_own_answers(
    store, asked, monkeypatch
):
    recording = Recording(
        benchmark="b", context=64,
        asked=tuple(Asked(requests=publish(store, "requests", n), max_output_tokens=4, stop=()) for n in "xy"),
    )  # fmt: skip
    benchmark, names = BenchmarkConfig(name="gsm8k"), ("old", "a", "b")
    jobs = [EvaluateJob(name=name, folder="f", digest=name, benchmark=benchmark) for name in names]
    scored = publish(store, "evaluate", "old", answers(store, "of old", tokens=7, cost=0.0))
    work = SimpleNamespace(
        store=store,
        runtime=Runtime(store=store.root, generate=CAPPED),
        study=SimpleNamespace(evaluate=EvaluateConfig()),
        score_identity=lambda job: Identity.of("evaluate", 1, {"name": job.name}, {}),
    )
    monkeypatch.setattr(flows.evaluating, "RecordProgress", lambda total: nullcontext())
    monkeypatch.setattr(flows.evaluating, "record_prompts", lambda jobs, *_, report: [scored for _ in jobs])
    monkeypatch.setattr(flows.evaluating, "read_recording", lambda store, ref: recording)
    monkeypatch.setattr(flows.evaluating, "teacher_digest", lambda model: "t")
    monkeypatch.setattr(flows.evaluating, "release", lambda: None)
    made = [publish(store, "recipe", "made", answers(store, "before", tokens=100, cost=0.0))]
    queue = flows.evaluating._answered(work, jobs, made)
    assert [len(job.answers) for job in queue] == [0, 2, 2]
    assert asked == [107, 117, 127, 137]

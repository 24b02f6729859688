"""Requests answered by the real engine: a tiny Qwen2 of random weights on vLLM, in Ray actors that are killed at work.

What must be killed as a whole runs this very file as a script::

    python test_generate.py drive STORE TEACHER ROWS    answer so many questions, saying how many are committed
"""

from __future__ import annotations

import gc
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import psutil
import pytest

from tasks.core.errors import BudgetReached, DataError, StudyError
from tasks.core.identity import Identity
from tasks.core.rows import REQUESTS, read_rows, write_rows
from tasks.core.store import ArtifactRef, Store
from tasks.generate.answer import answer
from tasks.generate.artifact import identity, teacher_digest
from tasks.generate.config import GenerateConfig, GenerateRuntime
from tasks.generate.reaper import MARK

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("default")]

ROWS, SHARD_ROWS, OUTPUT, CONTEXT = 320, 8, 40, 512
TWO = GenerateRuntime(actors=2, gpu_memory_utilization=0.1, keep_warm=600)
ONE = TWO.model_copy(update={"actors": 1})  # for drivers that are killed
OPENING = "<think>\n"


def make_teacher(folder: Path) -> Path:
    """Write a tiny model of random weights, its tokenizer and a chat template."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from tasks.checkpoint.config import TinyConfig
    from tasks.checkpoint.tiny import TEMPLATE, make_tiny

    texts = [f"What is {a} plus {b}? The answer is {a + b}." for a in range(40) for b in range(20)]
    make_tiny(folder, texts, TinyConfig(hidden=64, heads=2, layers=2, intermediate=128, positions=CONTEXT, spread=0.2))
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32).save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def publish(store: Store, rows: list[dict]) -> ArtifactRef:
    """Publish requests; `row_id`, `messages` and `prompt` as given, the rest null."""
    blank = {"sample": 0, "messages": None, "prompt": None}

    def build(draft):
        draft.num_rows = write_rows(draft.folder, [blank | row for row in rows], REQUESTS)

    return store.produce(Identity.of("prompt", 1, {"rows": [str(row) for row in rows]}, {}), build)


def questions(count: int = ROWS) -> list[dict]:
    """Questions of many lengths, some as messages and some as prompts."""
    texts = [f"What is {n} plus {n * 7 % 13}? {'Think. ' * (n * 5 % 37)}" for n in range(count)]
    return [
        {"row_id": f"q{n}", "prompt": text} if n % 4 == 0
        else {"row_id": f"q{n}", "messages": [{"role": "user", "content": text}]}
        for n, text in enumerate(texts)
    ]  # fmt: skip


def greedy(teacher: Path) -> GenerateConfig:
    return GenerateConfig(
        model={"path": str(teacher), "dtype": "float32", "opening": OPENING},
        sampling={"temperature": 0, "max_output_tokens": OUTPUT, "top_logprobs": 2},
        shard_rows=SHARD_ROWS,
    )


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    return make_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module", autouse=True)
def ray_at_the_end():
    yield
    from tasks.core.cluster import stop_ray
    from tasks.generate.task import release

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Ray leaves its own processes to the collector
        release()
        stop_ray()
        gc.collect()


@pytest.fixture(scope="module")
def whole(teacher, tmp_path_factory) -> tuple[Store, ArtifactRef]:
    """The answers of a run without faults."""
    store = Store(tmp_path_factory.mktemp("whole"))
    return store, answer("whole", greedy(teacher), publish(store, questions()), TWO, store, report=quiet)


def quiet(_) -> None: ...


def engines(driver: int) -> list[int]:
    """The actors of a driver's engines."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").split("/")[1:2] == [str(driver)] and "ray::" in process.cmdline()[0]:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def sealed(store: Store) -> dict[str, tuple[int, str]]:
    """Every committed shard, with its time of change and SHA-256."""
    tables = [path.with_suffix(".parquet") for path in store.root.glob(".work/generate-*/shards/*.json")]
    return {t.name: (t.stat().st_mtime_ns, hashlib.sha256(t.read_bytes()).hexdigest()) for t in tables}


# -- what is answered --------------------------------------------------------------------------------------------------


def test_outcomes_are_whole_and_in_order(whole):
    store, ref = whole
    rows = list(read_rows(store.folder(ref)))
    assert [row["row_id"] for row in rows] == [row["row_id"] for row in questions()]
    assert all(row["finish"] in ("stop", "length") for row in rows)
    assert all((row["finish"] == "length") == (row["output_tokens"] == OUTPUT) for row in rows)
    assert [row["text"].startswith(OPENING) for row in rows] == ["messages" in row for row in questions()]
    provenance = store.manifest(ref).provenance
    assert provenance["output_tokens"] == sum(row["output_tokens"] for row in rows)
    assert provenance["cut"] == sum(row["finish"] == "length" for row in rows) > 0
    assert provenance["requeues"] == 0 and provenance["engines"]["vllm"]
    assert sum(row["seconds"] for row in read_rows(store.folder(ref) / "logs" / "shards")) > 0


def test_an_engine_says_how_many_requests_it_has_finished(whole):
    import ray

    from tasks.generate import ray_seats

    finished = [ray.get(seat.actor.finished.remote(), timeout=60) for seat in ray_seats._parked]
    assert len(finished) == 2 and min(finished) > 0
    assert sum(finished) == ROWS + len(finished)  # and the one of each that warms it up


def test_greedy_tokens_and_their_log_probabilities_are_those_of_transformers(whole, teacher):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    store, ref = whole
    tokenizer = AutoTokenizer.from_pretrained(teacher)
    model = AutoModelForCausalLM.from_pretrained(teacher, dtype=torch.float32).eval()
    for row, question in list(zip(read_rows(store.folder(ref)), questions(), strict=True))[:24]:
        text = question.get("prompt")
        if text is None:
            text = tokenizer.apply_chat_template(question["messages"], tokenize=False, add_generation_prompt=True)
            text += OPENING
        prompt = tokenizer(text, return_tensors="pt").input_ids
        assert prompt.shape[1] == row["prompt_tokens"]
        with torch.no_grad():
            made = model.generate(
                prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=OUTPUT
            )
            logprobs = torch.log_softmax(model(made).logits[0], -1)[prompt.shape[1] - 1 : -1]
        assert made[0, prompt.shape[1] :].tolist() == row["token_ids"]
        own = logprobs.gather(1, torch.tensor(row["token_ids"])[:, None])[:, 0]
        assert own.tolist() == pytest.approx(row["token_logprobs"], abs=1e-3)
        assert logprobs.topk(2).values.flatten().tolist() == pytest.approx(row["top_logprobs"], abs=1e-3)
        assert row["top_ids"][::2] == row["token_ids"]


def test_given_text_is_scored_as_transformers_scores_it(teacher, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    store, texts = Store(tmp_path), [f"The answer is {n}. {'So it is. ' * (n % 5)}" for n in range(12)]
    long = "So it is. " * CONTEXT
    asked = [{"row_id": f"t{n}", "prompt": text} for n, text in enumerate([*texts, " ", long])]
    config = GenerateConfig(model=greedy(teacher).model, scoring={}, shard_rows=8)
    ref = answer("scores", config, publish(store, asked), TWO, store, report=quiet)
    tokenizer = AutoTokenizer.from_pretrained(teacher)
    model = AutoModelForCausalLM.from_pretrained(teacher, dtype=torch.float32).eval()
    for row, text in zip(read_rows(store.folder(ref)), texts, strict=True):
        tokens = tokenizer(text, return_tensors="pt").input_ids
        with torch.no_grad():
            logprobs = torch.log_softmax(model(tokens).logits[0, :-1], -1)
        assert (row["finish"], row["text"], row["output_tokens"]) == ("scored", "", 0)
        assert row["token_ids"] == tokens[0, 1:].tolist()
        own = logprobs.gather(1, tokens[0, 1:, None])[:, 0]
        assert row["token_logprobs"] == pytest.approx(own.tolist(), abs=1e-3)
        assert row["top_ids"] == []
    drops = list(read_rows(store.folder(ref) / "dropped"))
    assert [(drop["row_id"], drop["reason"]) for drop in drops] == [
        ("t12", "empty prompt"), ("t13", "over the context length"),
    ]  # fmt: skip
    assert f"the context {CONTEXT}" in drops[1]["detail"]


def test_seeded_samples_come_again_past_a_cap(teacher, tmp_path):
    config = GenerateConfig(
        model=greedy(teacher).model,
        sampling={"temperature": 1.0, "top_k": 40, "max_output_tokens": 24, "seed": 7},
        shard_rows=4,
    )
    asked = [{"row_id": f"q{n}", "sample": sample, "prompt": f"What is {n}?"} for n in range(40) for sample in range(2)]
    one, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    ref = answer("one", config, publish(one, asked), TWO, one, report=quiet)
    texts = [row["text"] for row in read_rows(one.folder(ref))]
    assert len(set(texts)) > 70

    capped = TWO.model_copy(update={"max_tokens": 500})
    with pytest.raises(BudgetReached, match=r"max_tokens: .* of 80 requests are answered") as stopped:
        answer("other", config, publish(other, asked), capped, other, report=quiet)
    assert stopped.value.exit_code == 7
    before = sealed(other)
    assert 0 < len(before) < 20
    seen = []
    again = answer("other", config, publish(other, asked), TWO, other, report=seen.append)
    assert seen[0].rows == 4 * len(before)
    assert again.digest == ref.digest


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_questions_of_a_megabyte_are_dropped_and_the_others_answered(teacher, tmp_path):
    huge = "What is 5 plus 5? " * 60_000
    asked = questions(3 * SHARD_ROWS)
    asked[8]["prompt"], asked[9]["messages"][0]["content"] = huge, huge  # of one shard, with six that can be answered
    store = Store(tmp_path)
    ref = answer("huge", greedy(teacher), publish(store, asked), TWO, store, report=quiet)
    rows = list(read_rows(store.folder(ref)))
    assert [row["row_id"] for row in rows] == [row["row_id"] for row in asked if row["row_id"] not in ("q8", "q9")]
    assert all(row["output_tokens"] > 0 and row["finish"] in ("stop", "length") for row in rows)
    drops = list(read_rows(store.folder(ref) / "dropped"))
    assert [(drop["row_id"], drop["reason"]) for drop in drops] == [
        ("q8", "over the context length"), ("q9", "over the context length"),
    ]  # fmt: skip
    assert all(f"the context {CONTEXT}" in drop["detail"] for drop in drops)
    assert store.manifest(ref).provenance["requeues"] == 0


def test_what_cannot_be_done_is_said_before_anything_starts(teacher, tmp_path):
    store = Store(tmp_path)
    requests = publish(store, questions(8))

    def told(kind, match, runtime=TWO, **changed):
        config = greedy(teacher)
        config = config.model_copy(update={"model": config.model.model_copy(update=changed)})
        with pytest.raises(kind, match=match):
            answer("bad", config, requests, runtime, store, report=quiet)

    told(StudyError, "nowhere holds no model", path=str(tmp_path / "nowhere"))
    told(StudyError, "513 tokens, and the model has 512 positions", max_model_len=513)
    told(StudyError, "900 with 1 CPU each need 900", runtime=TWO.model_copy(update={"actors": 900}))
    told(StudyError, "2 with 1 GPU each need 2, and Ray has 0", runtime=TWO.model_copy(update={"gpus_per_actor": 1.0}))
    plain = tmp_path / "plain"
    plain.mkdir()
    for file in teacher.iterdir():
        if file.name != "chat_template.jinja":
            (plain / file.name).symlink_to(file)
    asked = publish(store, [row for row in questions(8) if "messages" in row])
    with pytest.raises(DataError, match="no chat template"):
        answer("bad", greedy(plain), asked, TWO, store, report=quiet)


# -- what is killed ----------------------------------------------------------------------------------------------------


class Saboteur:
    """Kills an engine and stops the other while they are at work, and sees that no committed shard is ever touched."""

    def __init__(self, store: Store) -> None:
        self.store, self.sealed, self.hurt, self.at_work = store, {}, [], []

    def __call__(self, progress) -> None:
        now = sealed(self.store)
        assert {name: now[name] for name in self.sealed} == self.sealed
        self.sealed = now
        if progress.actors == 2 and not self.at_work:
            self.at_work = engines(os.getpid())
        for number, what in enumerate((signal.SIGKILL, signal.SIGSTOP)):
            if len(self.hurt) == number and progress.rows >= (number + 1) * 6 * SHARD_ROWS:
                self.hurt.append(self.at_work[number])
                os.kill(self.hurt[-1], what)


def test_a_killed_and_a_hung_engine_cost_nothing_but_time(whole, teacher, tmp_path):
    store, saboteur = Store(tmp_path), Saboteur(Store(tmp_path))
    runtime = TWO.model_copy(update={"deadline_seconds": 10.0})
    ref = answer("faults", greedy(teacher), publish(store, questions()), runtime, store, report=saboteur)
    assert len(saboteur.hurt) == 2
    assert ref.digest == whole[1].digest
    assert store.manifest(ref).provenance["requeues"] >= 2
    assert not set(saboteur.hurt) & set(engines(os.getpid()))


def run_killed(times: int, rows: int, store: Store, teacher: Path) -> list[int]:
    """Run drivers, each killed at a random moment of its work; return them."""
    chance, died, before = random.Random(times), [], {}
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for _ in range(times):
        driver = subprocess.Popen(
            [sys.executable, __file__, "drive", str(store.root), str(teacher), str(rows)],
            env=environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        commits = len(before) + chance.randint(1, rows // SHARD_ROWS // (times + 1))
        while (line := driver.stdout.readline()) and int(line) < commits * SHARD_ROWS:
            pass
        time.sleep(chance.uniform(0, 0.1))
        driver.kill()
        assert driver.wait() == -signal.SIGKILL
        driver.stdout.close()
        now = sealed(store)
        assert len(now) > len(before) and {name: now[name] for name in before} == before
        died, before = [*died, driver.pid], now
    return died


def check_killed_driver(times, rows, whole, teacher, tmp_path) -> None:
    store = Store(tmp_path)
    requests = publish(store, questions(rows))
    died, seen = run_killed(times, rows, store, teacher), []
    ref = answer("killed", greedy(teacher), requests, TWO, store, report=seen.append)
    assert ref.digest == whole.digest
    assert seen[0].rows >= 3 * SHARD_ROWS
    assert [engines(driver) for driver in died] == [[] for _ in died]


@pytest.mark.slow  # test_kills.py kills the whole flow, in every run
def test_a_killed_driver_goes_on_from_its_committed_shards(whole, teacher, tmp_path):
    check_killed_driver(3, ROWS, whole[1], teacher, tmp_path)


@pytest.mark.slow
def test_a_driver_killed_twenty_times_goes_on(teacher, tmp_path):
    store = Store(tmp_path / "whole")
    whole = answer("whole", greedy(teacher), publish(store, questions(2000)), TWO, store, report=quiet)
    check_killed_driver(20, 2000, whole, teacher, tmp_path / "killed")


def drive(store: Store, teacher: Path, rows: int) -> None:
    """Answer, and print how many rows are committed."""
    answer("killed", greedy(teacher), publish(store, questions(rows)), ONE, store,
           report=lambda progress: print(progress.rows, flush=True))  # fmt: skip


def test_the_identity_is_the_models_not_the_places(teacher):
    config = greedy(teacher)
    moved = config.model_copy(update={"model": config.model.model_copy(update={"path": "elsewhere"})})
    requests = ArtifactRef(path="p", digest="d", num_rows=1)
    digest = teacher_digest(config.model)
    assert identity(config, requests, digest) == identity(moved, requests, digest)


if __name__ == "__main__":
    drive(Store(Path(sys.argv[2])), Path(sys.argv[3]), int(sys.argv[4]))

"""Anneals on the real engines: transformers, DeepSpeed and Ray Train, with tiny models of random weights.

What needs several processes, or must be killed, runs this very file as a script::

    python test_anneal.py group STORE OUTPUT    one of two processes: every ZeRO stage, one after another
    python test_anneal.py drive STORE SEEDS     a driver that Ray serves, killed while its workers train
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ports import free_port

from tasks.anneal import checkpoints
from tasks.anneal.config import AnnealConfig, AnnealJob, AnnealRuntime
from tasks.anneal.data import collate, open_pack, open_plan
from tasks.anneal.trainer import Group, Inputs, train
from tasks.core.errors import EngineError, InfrastructureError, IntegrityError
from tasks.core.identity import Identity, folder_digest
from tasks.core.rows import PACKS, PLAN, read_rows, write_rows
from tasks.core.store import Store

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("default")]

LENGTH, BATCH, SEQUENCES, VOCABULARY = 48, 4, 24, 64
FAST = AnnealRuntime(checkpoint_every=3)
ARCHITECTURES = ("qwen2", "deepseek_v2")


# -- small things to train on ----------------------------------------------------------------------------------------


def write_base(folder: Path, architecture: str) -> None:
    """Write a tiny model's config and tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import DeepseekV2Config, PreTrainedTokenizerFast, Qwen2Config

    common = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "max_position_embeddings": LENGTH}
    if architecture == "qwen2":
        config = Qwen2Config(**common, intermediate_size=64, num_attention_heads=2, num_key_value_heads=1)
    else:
        config = DeepseekV2Config(
            **common, intermediate_size=64, moe_intermediate_size=16, num_attention_heads=2, num_key_value_heads=2,
            n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2, first_k_dense_replace=1, q_lora_rank=None,
            kv_lora_rank=16, qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=16, n_group=1, topk_group=1,
        )  # fmt: skip
    config.save_pretrained(folder)
    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(VOCABULARY)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="w1")
    tokenizer.chat_template = "{{ messages[0].content }}"
    tokenizer.save_pretrained(folder)


def packed_rows(seed: int) -> list[dict[str, object]]:
    """Return sequences of two or three documents that count up, so that there is something to learn."""
    random, rows = np.random.default_rng(seed), []
    for number in range(SEQUENCES):
        lengths = [int(n) for n in random.integers(5, 16, size=2 + number % 2)]
        documents = [(int(random.integers(VOCABULARY)) + np.arange(n)) % VOCABULARY for n in lengths]
        labels = [[-100, *(int(t) for t in d[1:])] for d in documents]
        labels[-1] = [-100] * (len(labels[-1]) // 2 + 1) + labels[-1][len(labels[-1]) // 2 + 1 :]
        rows.append({
            "input_ids": [int(t) for d in documents for t in d], "labels": [t for part in labels for t in part],
            "lengths": lengths, "row_ids": [f"{number}-{i}" for i in range(len(lengths))],
        })  # fmt: skip
    return rows


def make_job(
    store: Store, *, name: str = "arm", seed: int = 1, architecture: str = "qwen2", steps: int = 8,
    dtype: str = "float32", packed_with: str = "tok", attention: str = "sdpa",
) -> AnnealJob:  # fmt: skip
    base = store.root / f"base-{architecture}"
    if not base.exists():
        write_base(base, architecture)
    inputs = {"tokenizer": packed_with, "template": "tpl"}

    def pack(draft, number):
        draft.num_rows = write_rows(draft.folder, packed_rows(number), PACKS)

    packs = {
        source: store.produce(Identity.of("pack", 1, {"n": n}, inputs), lambda draft, n=n: pack(draft, n))
        for n, source in enumerate(["code", "math"])
    }

    def plan(draft):
        order = np.random.default_rng(seed).integers(0, SEQUENCES, size=steps * BATCH)
        rows = [
            {"position": p, "source": "math" if p % 5 == 0 else "code", "sequence": int(s)} for p, s in enumerate(order)
        ]
        draft.num_rows = write_rows(draft.folder, rows, PLAN)

    return AnnealJob(
        name=name, base=base, base_digest=folder_digest(base), tokenizer="tok", template="tpl", packs=packs,
        plan=store.produce(Identity.of("plan", 1, {"seed": seed, "steps": steps}, {}), plan), seed=seed,
        config=AnnealConfig(
            learning_rate=3e-3, global_batch=BATCH, sequence_length=LENGTH, dtype=dtype, initialise="random",
            warmup=0.2, attention=attention,
        ),
    )  # fmt: skip


@dataclass
class Trained:
    losses: list[float]
    folder: Path
    digest: str


def train_here(
    store: Store, job: AnnealJob, runtime: AnnealRuntime, work: Path, group: Group | None = None, on_step=None
):
    """Train a job in this process's group, past Ray and the store."""
    packs = {source: open_pack(store.folder(ref)) for source, ref in job.packs.items()}
    inputs = Inputs(open_plan(store.folder(job.plan)), packs)
    work.mkdir(parents=True, exist_ok=True)
    group = group or Group(0, 1, 1e12)
    rows = train(
        job, runtime, inputs, group, scratch=work, output=work / "model", on_step=on_step or (lambda row: None)
    )
    return Trained(
        [row["loss"] for row in rows], work / "model", folder_digest(work / "model") if group.rank == 0 else ""
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def alone():
    """Make this process a group of one."""
    import torch.distributed as dist

    with pytest.MonkeyPatch.context() as patch:
        for name, value in _group_environment(0, 1, free_port()).items():
            patch.setenv(name, value)
        from tasks.anneal.ray_worker import prepare_process

        before = dict(sys.modules)
        prepare_process(FAST)
        for name in [name for name, module in sys.modules.items() if module is None and name not in before]:
            del sys.modules[name]
        dist.init_process_group("gloo")
        yield
        dist.destroy_process_group()


def _group_environment(rank: int, size: int, port: int) -> dict[str, str]:
    return {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port), "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip


# -- documents do not see each other -----------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_packed_document_has_the_loss_it_has_alone(store, architecture, checkpointing, attention):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, set_seed

    job = make_job(store, architecture=architecture)
    set_seed(3)
    model = AutoModelForCausalLM.from_config(
        AutoConfig.from_pretrained(job.base), attn_implementation=attention, dtype=torch.float32
    )
    if checkpointing:
        model.gradient_checkpointing_enable()
    model.train()
    packs = {"code": open_pack(store.folder(job.packs["code"])), "math": open_pack(store.folder(job.packs["math"]))}
    batch = collate(open_plan(store.folder(job.plan)), packs, range(4), LENGTH, 0)
    inputs = {name: torch.from_numpy(array) for name, array in batch.items()}
    logits = model(input_ids=inputs["input_ids"], position_ids=inputs["position_ids"], use_cache=False).logits
    compared = 0
    for row in range(4):
        starts = [*np.flatnonzero(batch["position_ids"][row] == 0), LENGTH]
        for first, last in itertools.pairwise(starts):
            lone = model(input_ids=inputs["input_ids"][row : row + 1, first:last], use_cache=False).logits[0]
            torch.testing.assert_close(logits[row, first:last], lone, atol=2e-5, rtol=1e-4)
            labels = inputs["labels"][row, first:last]
            if (labels[1:] >= 0).any():
                packed_loss = torch.nn.functional.cross_entropy(logits[row, first : last - 1], labels[1:])
                lone_loss = torch.nn.functional.cross_entropy(lone[:-1], labels[1:])
                torch.testing.assert_close(packed_loss, lone_loss, atol=1e-5, rtol=1e-5)
                compared += 1
    assert compared >= 8


# -- one process -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_learns_and_is_saved_for_others_to_load(alone, store, tmp_path, architecture):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    job = make_job(store, architecture=architecture, steps=20, dtype="bfloat16")
    trained = train_here(store, job, FAST, tmp_path)
    assert trained.losses[-1] < trained.losses[0] - 0.2
    model = AutoModelForCausalLM.from_pretrained(trained.folder, dtype="auto")
    tokenizer = AutoTokenizer.from_pretrained(trained.folder)
    assert model.dtype == torch.bfloat16
    assert model.config.use_cache
    assert tokenizer.get_vocab() == AutoTokenizer.from_pretrained(job.base).get_vocab()
    assert (trained.folder / "tokenizer.json").read_bytes() == (job.base / "tokenizer.json").read_bytes()
    assert tokenizer.chat_template == "{{ messages[0].content }}"
    assert list(trained.folder.glob("*.safetensors"))


def test_accumulation_changes_no_loss(alone, store, tmp_path):
    job = make_job(store)
    whole = train_here(store, job, FAST, tmp_path / "whole")
    parts = train_here(store, job, FAST.model_copy(update={"micro_batch": 1}), tmp_path / "parts")
    assert parts.losses == pytest.approx(whole.losses, rel=2e-5)


def test_the_loss_is_that_of_a_plain_loop(alone, store, tmp_path):
    """The first step's loss, by hand: the mean over the supervised tokens of the whole batch."""
    import torch
    from transformers import AutoModelForCausalLM

    job = make_job(store)
    trained = train_here(store, job, FAST.model_copy(update={"micro_batch": 2}), tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "initial")
    packs = {source: open_pack(store.folder(ref)) for source, ref in job.packs.items()}
    batch = collate(open_plan(store.folder(job.plan)), packs, range(BATCH), LENGTH, 0)
    inputs = {name: torch.from_numpy(array) for name, array in batch.items()}
    assert trained.losses[0] == pytest.approx(model(**inputs, use_cache=False).loss.item(), rel=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_order_of_jobs_changes_nothing(alone, store, tmp_path, architecture):
    jobs = [make_job(store, name=f"s{seed}", seed=seed, architecture=architecture, steps=4) for seed in (1, 2)]
    forth = [train_here(store, job, FAST, tmp_path / f"forth-{job.seed}") for job in jobs]
    back = [train_here(store, job, FAST, tmp_path / f"back-{job.seed}") for job in reversed(jobs)]
    assert [t.losses for t in forth] == [t.losses for t in reversed(back)]
    assert [t.digest for t in forth] == [t.digest for t in reversed(back)]


class StoppedError(Exception):
    """Stands for a kill between two steps."""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("stop", [2, 5, 7])
def test_a_stopped_job_goes_on_as_if_it_had_not_been(alone, store, tmp_path, dtype, stop):
    job = make_job(store, dtype=dtype)
    whole = train_here(store, job, FAST, tmp_path / "whole")
    _stop_at(store, job, FAST, tmp_path / "stopped", stop)
    resumed = train_here(store, job, FAST, tmp_path / "stopped")
    assert resumed.losses == whole.losses
    assert resumed.digest == whole.digest


def test_a_torn_checkpoint_falls_back_to_the_one_before(alone, store, tmp_path):
    job = make_job(store)
    whole = train_here(store, job, FAST, tmp_path / "whole")
    _stop_at(store, job, FAST, tmp_path / "torn", 8)
    newest = checkpoints.latest(tmp_path / "torn" / "checkpoints")
    assert newest is not None and newest.step == 6
    weights = max(newest.folder.rglob("*.pt"), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-100])
    before = checkpoints.latest(tmp_path / "torn" / "checkpoints")
    assert before is not None and before.step == 3
    assert train_here(store, job, FAST, tmp_path / "torn").digest == whole.digest


def test_a_checkpoint_of_another_shape_is_refused(alone, store, tmp_path):
    job = make_job(store)
    _stop_at(store, job, FAST, tmp_path, 5)
    with pytest.raises(EngineError, match=r"accumulation 1.*accumulation 4"):
        train_here(store, job, FAST.model_copy(update={"micro_batch": 1}), tmp_path)


def _stop_at(store: Store, job: AnnealJob, runtime: AnnealRuntime, work: Path, step: int) -> None:
    """Train until just before a step's rows are reported, then stop as a kill would."""

    def on_step(row):
        if row["step"] >= step:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_here(store, job, runtime, work, on_step=on_step)


# -- two processes -----------------------------------------------------------------------------------------------------


#: Stages of which each process has a part of the gradients or of the weights only.
SHARDED = (2, 3)


def test_zero_stages_workers_and_a_kill_change_no_loss(alone, store, tmp_path):
    output = tmp_path / "losses.json"
    port = free_port()
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, "group", str(store.root), str(output)],
            env=os.environ | _group_environment(rank, 2, port) | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    printed = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed[0][-3000:] + printed[1][-3000:]
    found = json.loads(output.read_text())
    for architecture in ARCHITECTURES:
        one = train_here(store, make_job(store, architecture=architecture), FAST, tmp_path / architecture)
        for stage in range(4):
            assert found[f"{architecture}-{stage}"] == pytest.approx(one.losses, rel=5e-5), stage
        for stage in SHARDED:
            assert found[f"{architecture}-{stage}-resumed"] == found[f"{architecture}-{stage}"], stage


def run_group(store: Store, output: Path) -> None:
    """Train every architecture with every ZeRO stage in one group of processes, one after another."""
    import torch.distributed as dist

    from tasks.anneal.ray_worker import prepare_process

    prepare_process(FAST)
    dist.init_process_group("gloo")
    group, losses = Group(dist.get_rank(), 2, 1e12), {}
    for architecture in ARCHITECTURES:
        for stage in (3, 2, 1, 0):  # the hardest to start with first
            runtime = AnnealRuntime(workers=2, zero_stage=stage, checkpoint_every=3)
            name = f"{architecture}-{stage}"
            job, work = make_job(store, architecture=architecture), output.parent / name
            losses[name] = train_here(store, job, runtime, work, group).losses
            if stage in SHARDED:  # as if killed between the checkpoints of steps 3 and 6
                if group.rank == 0:
                    shutil.rmtree(checkpoints.checkpoint_folder(work / "checkpoints", 6))
                dist.barrier()
                losses[f"{name}-resumed"] = train_here(store, job, runtime, work, group).losses
    if group.rank == 0:
        output.write_text(json.dumps(losses))
    dist.destroy_process_group()


# -- Ray ---------------------------------------------------------------------------------------------------------------


SIDE_BY_SIDE = AnnealRuntime(parallel_jobs=2, checkpoint_every=20, keep_warm=20)


def test_packs_of_another_tokenizer_are_refused_before_anything_starts(store):
    from tasks.anneal.ray_fit import RayFit

    job = make_job(store, packed_with="another")
    with pytest.raises(IntegrityError, match="made with the tokenizer another"):
        RayFit().anneal([job], FAST, store.root, lambda progress: None)


def test_two_workers_of_a_fit_train_as_one_process_does(alone, store, tmp_path):
    from tasks.anneal.ray_fit import RayFit, close

    job = make_job(store, name="two-workers")
    runtime = AnnealRuntime(workers=2, zero_stage=2, checkpoint_every=3)
    done = RayFit().anneal([job], runtime, store.root, lambda progress: None)[job.name]
    close()
    losses = [row["loss"] for row in read_rows(store.folder(done) / "logs" / "steps")]
    assert losses == pytest.approx(train_here(store, job, FAST, tmp_path).losses, rel=5e-5)
    assert store.manifest(done).provenance["runtime"]["workers"] == 2


def test_a_killed_worker_and_a_killed_driver_lose_nothing(alone, store, tmp_path):
    from tasks.anneal.ray_fit import RayFit, close
    from tasks.core.cluster import stop_ray

    jobs = [make_job(store, name=f"arm-{seed}", seed=seed, steps=160) for seed in (1, 2, 3)]
    whole = {job.name: train_here(store, job, SIDE_BY_SIDE, tmp_path / job.name) for job in jobs}
    shutil.rmtree(store.root / ".work", ignore_errors=True)

    driver = subprocess.run(
        [sys.executable, __file__, "drive", str(store.root), "1,2,3"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert driver.returncode == -signal.SIGKILL
    worker = int(driver.stdout)
    _wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the worker outlived its driver")
    assert list((store.root / ".work").glob("anneal-*/checkpoints/*/COMMIT"))

    killed = []

    def kill_a_worker(progress):
        if progress.step >= 75 and not killed:
            killed.append(_worker_of(store))
            os.kill(killed[0], signal.SIGKILL)

    with pytest.raises(InfrastructureError, match=r"worker . died"):
        RayFit().anneal(jobs, SIDE_BY_SIDE, store.root, kill_a_worker)
    states = []
    done = RayFit().anneal(jobs, SIDE_BY_SIDE, store.root, lambda progress: states.append(progress.state))
    assert "finished" in states
    for job in jobs:
        folder = store.folder(done[job.name])
        assert [row["loss"] for row in read_rows(folder / "logs" / "steps")] == whole[job.name].losses
        assert folder_digest(folder / "model") == whole[job.name].digest

    warm, started = make_job(store, name="later", seed=4, steps=4), time.monotonic()
    RayFit().anneal([warm], SIDE_BY_SIDE, store.root, lambda progress: None)
    assert time.monotonic() - started < 15  # the fit was still warm: no second start
    close()
    stop_ray()


def _worker_of(store: Store) -> int:
    """Return the process id of a worker: it prints to a log in the run's folder."""
    for pid in (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()):
        try:
            log = str(Path(f"/proc/{pid}/fd/1").readlink())
        except OSError:
            continue
        if log.startswith(str(store.root)) and "/worker-" in log:
            return pid
    raise AssertionError("no worker is running")


def _wait_until(true, otherwise: str) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)


def drive(store: Store, seeds: list[int]) -> None:
    """Anneal through Ray, and be killed at a step, having printed a worker's process id."""
    from tasks.anneal.ray_fit import RayFit

    jobs = [make_job(store, name=f"arm-{seed}", seed=seed, steps=160) for seed in seeds]

    def show(progress):
        if progress.step >= 30:
            print(_worker_of(store), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    RayFit().anneal(jobs, SIDE_BY_SIDE, store.root, show)


if __name__ == "__main__":
    if sys.argv[1] == "group":
        run_group(Store(Path(sys.argv[2])), Path(sys.argv[3]))
    else:
        drive(Store(Path(sys.argv[2])), [int(seed) for seed in sys.argv[3].split(",")])

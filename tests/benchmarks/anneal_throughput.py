"""Prints how fast an anneal trains beside a plain `transformers` Trainer, on one model and data, in one run.

Both train the quick start's model (Qwen2, 0.7 M parameters, batch 8 x 192) in turns, in this process, on one thread:
ours with DeepSpeed, the plan's order, per-step logs and a checkpoint; theirs as it comes, with `bf16` where we have it.
With ``--ray`` the same jobs also go through a whole fit, so that its start is seen.

    python tests/benchmarks/anneal_throughput.py [--steps 60] [--rounds 3] [--dtype bfloat16] [--ray]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

LENGTH, BATCH, SEQUENCES, VOCABULARY = 192, 8, 200, 512


def make_store(root: Path, steps: int, dtype: str, rounds: int):
    """Write a base, a pack and a plan for each round; return the store and the jobs."""
    from transformers import Qwen2Config

    from tasks.anneal.config import AnnealConfig, AnnealJob
    from tasks.core.identity import Identity, folder_digest
    from tasks.core.rows import PACKS, PLAN, write_rows
    from tasks.core.store import Store

    store, base = Store(root), root / "base"
    Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=128, intermediate_size=384, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=LENGTH, tie_word_embeddings=True,
    ).save_pretrained(base)  # fmt: skip
    random = np.random.default_rng(0)

    def sequence():
        ids = random.integers(VOCABULARY, size=LENGTH).tolist()
        half = LENGTH // 2
        labels = [-100, *ids[1:half], -100, *ids[half + 1 :]]
        return {"input_ids": ids, "labels": labels, "lengths": [half, LENGTH - half], "row_ids": ["a", "b"]}

    def pack(draft):
        draft.num_rows = write_rows(draft.folder, [sequence() for _ in range(SEQUENCES)], PACKS)

    def plan(draft):
        order = random.integers(SEQUENCES, size=steps * BATCH).tolist()
        rows = [{"position": p, "source": "all", "sequence": s} for p, s in enumerate(order)]
        draft.num_rows = write_rows(draft.folder, rows, PLAN)

    packed = store.produce(Identity.of("pack", 1, {}, {"tokenizer": "t"}), pack)
    planned = store.produce(Identity.of("plan", 1, {}, {}), plan)
    config = AnnealConfig(
        learning_rate=3e-3, global_batch=BATCH, sequence_length=LENGTH, dtype=dtype, initialise="random",
        attention="eager",
    )  # fmt: skip
    return store, [
        AnnealJob(
            name=f"round-{seed}", base=base, base_digest=folder_digest(base), tokenizer="t", packs={"all": packed},
            plan=planned, seed=seed, config=config,
        )
        for seed in range(rounds)
    ]  # fmt: skip


def train_ours(store, job, work: Path) -> tuple[float, float]:
    """Return tokens a second over the steps, and the seconds of the whole job."""
    from tasks.anneal.config import AnnealRuntime
    from tasks.anneal.data import open_pack, open_plan
    from tasks.anneal.trainer import Group, Inputs, train

    started = time.perf_counter()
    inputs = Inputs(open_plan(store.folder(job.plan)), {"all": open_pack(store.folder(job.packs["all"]))})
    runtime = AnnealRuntime(checkpoint_every=100)
    group = Group(0, 1, 1e12)
    rows = train(job, runtime, inputs, group, scratch=work, output=work / "model", on_step=lambda row: None)
    steady = rows[2:]
    speed = sum(row["tokens"] for row in steady) / sum(row["seconds"] for row in steady)
    return speed, time.perf_counter() - started


def train_theirs(store, job, work: Path) -> tuple[float, float]:
    """The same sequences through a Trainer as it comes, with no DeepSpeed."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments, set_seed

    from tasks.anneal.data import collate, open_pack, open_plan

    class Clock(TrainerCallback):
        ends: list[float]

        def on_train_begin(self, *_, **__):
            self.ends = []

        def on_step_end(self, *_, **__):
            self.ends.append(time.perf_counter())

    class Sequences(torch.utils.data.Dataset):
        def __init__(self):
            packs = {"all": open_pack(store.folder(job.packs["all"]))}
            plan = open_plan(store.folder(job.plan))
            self.rows = [collate(plan, packs, range(p, p + 1), LENGTH, 0) for p in range(len(plan))]

        def __len__(self):
            return len(self.rows)

        def __getitem__(self, index):
            return {name: torch.from_numpy(array[0]) for name, array in self.rows[index].items()}

    started = time.perf_counter()
    set_seed(job.seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(job.base), attn_implementation="eager")
    arguments = TrainingArguments(
        output_dir=str(work), per_device_train_batch_size=BATCH, max_steps=job.plan.num_rows // BATCH, use_cpu=True,
        learning_rate=3e-3, bf16=job.config.dtype == "bfloat16", report_to="none", logging_steps=10, disable_tqdm=True,
        save_strategy="no", log_level="error",
    )  # fmt: skip
    clock = Clock()
    trainer = Trainer(model=model, args=arguments, train_dataset=Sequences(), callbacks=[clock])
    trainer.log = lambda *_, **__: None
    trainer.train()
    trainer.save_model(work / "model")
    tokens = BATCH * LENGTH * (len(clock.ends) - 2)
    return tokens / (clock.ends[-1] - clock.ends[1]), time.perf_counter() - started


def print_turns(store, jobs, work: Path) -> None:
    """Train in turns, so that a busy machine slows both alike, and print the medians and their ratio."""
    import torch.distributed as dist
    from accelerate.state import AcceleratorState

    dist.init_process_group("gloo")
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for job in jobs:
        found["ours"].append(train_ours(store, job, work / f"ours-{job.seed}"))
        found["theirs"].append(train_theirs(store, job, work / f"theirs-{job.seed}"))
        AcceleratorState._reset_state(reset_partial_state=True)
    dist.destroy_process_group()
    speed = {who: statistics.median(speed for speed, _ in runs) for who, runs in found.items()}
    whole = {who: statistics.median(seconds for _, seconds in runs) for who, runs in found.items()}
    for who in found:
        print(f"{who:>7}: {speed[who]:8.0f} tokens/s in steady steps, {whole[who]:6.2f} s a job")
    print(f"  ratio: {speed['ours'] / speed['theirs']:8.2f} (ours over a plain Trainer)")


def print_fit(store, jobs, runtime) -> None:
    """Print what a whole fit takes, and how much of it is its start."""
    from tasks.anneal.ray_fit import RayFit, close

    started, first = time.perf_counter(), []

    def report(progress):
        if progress.state == "training" and not first:
            first.append(time.perf_counter() - started)

    RayFit().anneal(jobs, runtime, store.root, report)
    total = time.perf_counter() - started
    close()
    print(f"    fit: {len(jobs)} jobs, {runtime.parallel_jobs} x {runtime.workers} workers: {total:.1f} s, "
          f"of which {first[0]:.1f} s until the first step's job began")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--ray", action="store_true")
    given = parser.parse_args()
    os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    os.environ |= {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    from tasks.anneal.config import AnnealRuntime
    from tasks.anneal.ray_worker import prepare_process

    with tempfile.TemporaryDirectory() as folder:
        prepare_process(AnnealRuntime())
        store, jobs = make_store(Path(folder), given.steps, given.dtype, given.rounds)
        print_turns(store, jobs, Path(folder))
        if given.ray:
            for parallel, workers in ((1, 1), (1, 2), (2, 1)):
                fresh, same = make_store(Path(folder) / f"{parallel}{workers}", given.steps, given.dtype, given.rounds)
                print_fit(fresh, same, AnnealRuntime(parallel_jobs=parallel, workers=workers))


if __name__ == "__main__":
    main()

"""What one worker of a fit does: drain the queue, one job after another, each published as soon as it is done."""

from __future__ import annotations

import gc
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tasks.anneal import desk
from tasks.anneal.config import AnnealJob, AnnealRuntime, identity
from tasks.anneal.data import Pack, check_packs, check_plan, open_packs, open_plan
from tasks.anneal.engine import Progress
from tasks.anneal.flops import gpu_peak
from tasks.anneal.trainer import Group, Inputs, Step, train
from tasks.core.errors import AssayError
from tasks.core.rows import STEPS, write_rows
from tasks.core.store import Draft, Store

#: What transformers and DeepSpeed import when they find it and an anneal never uses: half of a worker's start-up.
_UNUSED = ("mlflow", "sklearn", "datasets", "scipy")


def drain(settings: dict[str, Any]) -> None:
    """Train the queue. The loop that Ray Train runs in every worker."""
    import ray.train

    rank = ray.train.get_context().get_world_rank()
    run = Path(settings["run"])
    _print_to(run / f"worker-{rank}.log")
    worker = Worker(Store(Path(settings["store"])), AnnealRuntime.model_validate(settings["runtime"]), run, rank)
    try:
        worker.work()
    except BaseException as error:
        traceback.print_exc()
        desk.fail(run, _failure(rank, worker, error))
        raise


def _print_to(path: Path) -> None:
    log = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _failure(rank: int, worker: Worker, error: BaseException) -> desk.Failure:
    if isinstance(error, AssayError):
        return desk.Failure(rank, worker.number, worker.name, type(error).__name__, error.message, error.remedy)
    return desk.Failure(rank, worker.number, worker.name, "", f"{type(error).__name__}: {error}", "")


class Worker:
    """One process of a group; its first leads: it claims jobs, publishes them and reports.

    `number` and `name` are those of the job at hand, -1 and empty before the first.
    """

    def __init__(self, store: Store, runtime: AnnealRuntime, run: Path, rank: int) -> None:
        self.number, self.name = -1, ""
        self._store, self._runtime = store, runtime
        self._rank = rank % runtime.workers
        self._desk = desk.Desk(run, rank // runtime.workers)
        self._opened: dict[str, Pack] = {}
        self._peaks: dict[str, tuple[float, str]] = {}

    def work(self) -> None:
        """Take part in every job of this group until there are no more."""
        prepare_process(self._runtime)
        if self._rank == 0:
            self._lead()
        else:
            self._follow()

    def _lead(self) -> None:
        for number in self._desk.claims(self._runtime.keep_warm):
            self._lead_one(number, self._next(number))
        self._desk.decide(0, "stop")

    def _lead_one(self, number: int, job: AnnealJob) -> None:
        decided = []

        def build(draft: Draft) -> None:
            inputs = self._inputs(job)
            self._desk.decide(number, "train")
            decided.append(True)
            self._publish(job, inputs, draft)

        self._store.produce(identity(job), build)
        if not decided:
            self._desk.decide(number, "skip")
        self._desk.report(number, Progress(job.name, "finished" if decided else "cached"))

    def _follow(self) -> None:
        for number, action in self._desk.decisions():
            job = self._next(number)
            if action == "train":
                scratch = self._store.scratch(identity(job))
                self._train(job, self._inputs(job), scratch, scratch / "unused")

    def _next(self, number: int) -> AnnealJob:
        job = self._desk.job(number)
        self.number, self.name = number, job.name
        return job

    def _inputs(self, job: AnnealJob) -> Inputs:
        check_packs(job, self._store)
        plan = open_plan(self._store.folder(job.plan))
        packs = open_packs(job.packs, self._store, self._opened)
        check_plan(job, plan, packs)
        return Inputs(plan, packs)

    def _publish(self, job: AnnealJob, inputs: Inputs, draft: Draft) -> None:
        rows = self._train(job, inputs, draft.scratch, draft.folder / "model")
        write_rows(draft.folder / "logs" / "steps", rows, STEPS)
        draft.sources = {source: ref.digest for source, ref in job.packs.items()}
        draft.provenance = self._provenance(job, rows)

    def _provenance(self, job: AnnealJob, rows: list[Step]) -> dict[str, Any]:
        peak, source = self._peak(job.config.dtype)
        return {
            "job": job.name,
            "tokens": sum(row["tokens"] for row in rows),
            "training_seconds": round(sum(row["seconds"] for row in rows), 3),
            "final_loss": rows[-1]["loss"],
            "runtime": self._runtime.model_dump(mode="json"),
            "peak_flops": peak,
            "peak_source": source,
            "engines": _versions(),
        }

    def _train(self, job: AnnealJob, inputs: Inputs, scratch: Path, output: Path) -> list[Step]:
        group = Group(self._rank, self._runtime.workers, self._peak(job.config.dtype)[0])
        steps = len(inputs.plan) // job.config.global_batch

        def on_step(row: Step) -> None:
            left = (steps - row["step"]) * row["seconds"]
            state = (row["step"], steps, row["loss"], row["tokens_per_second"], left)
            self._desk.report(self.number, Progress(job.name, "training", *state))

        if self._rank == 0:
            self._desk.report(self.number, Progress(job.name, "training", 0, steps))
        return train(job, self._runtime, inputs, group, scratch=scratch, output=output, on_step=on_step)

    def _peak(self, dtype: str) -> tuple[float, str]:
        if dtype not in self._peaks:
            self._peaks[dtype] = peak_flops(dtype)
        return self._peaks[dtype]


def prepare_process(runtime: AnnealRuntime) -> None:
    """Import the engines, without what an anneal never uses of them, and take their objects out of the collector.

    The imports leave so many objects that one collection takes half a second, and DeepSpeed collects ten times a job.
    On a CPU no operator of DeepSpeed's own is used, so none is looked for or built (its shared-memory communicator,
    which serves inference only, would take a minute or two of g++).
    """
    for name in _UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    import deepspeed
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, Trainer  # noqa: F401  loaded lazily otherwise, after the freeze

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(runtime.threads)
    if runtime.use_gpu:
        torch.use_deterministic_algorithms(True, warn_only=True)
    else:
        deepspeed.ops.__compatible_ops__ = {}
    gc.collect()
    gc.freeze()


def peak_flops(dtype: str) -> tuple[float, str]:
    """Return one process's peak FLOPs a second in a dtype, and where the figure is from."""
    import torch

    device = torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda" and dtype == "bfloat16" and (known := gpu_peak(torch.cuda.get_device_name(device))):
        return known
    size = 8192 if device.type == "cuda" else 768
    left = torch.ones(size, size, dtype=getattr(torch, dtype), device=device)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        (left @ left)[0, 0].item()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best, f"measured, a {size} x {size} product on one {device.type} worker"


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "transformers", "deepspeed", "accelerate", "ray")}

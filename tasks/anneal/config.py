"""What an anneal is, apart from what it runs on.

::

    AnnealConfig    what changes the result: optimiser, schedule, batch, length, dtype. Part of the artifact's key.
    AnnealRuntime   what does not: workers, GPUs, ZeRO, micro-batch, checkpoints. Never part of a key.
    AnnealJob       one arm with one seed: a base model, a plan over packs, a config.

A job's *identity* is its config, its seed and the digests of what it reads, so a plan can ask the store what is already
there without starting anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.core.errors import StudyError
from tasks.core.identity import Frozen, Identity
from tasks.core.store import ArtifactRef

#: Raised whenever the meaning of an anneal's output changes.
STAGE_VERSION = 1
STAGE = "anneal"

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class AnnealConfig(Frozen):
    """How an arm is trained: identity, equal on every machine.

    The learning rate rises over the first `warmup` of the steps, then falls linearly to zero or stays constant.

    Attributes:
        learning_rate: the peak learning rate of AdamW.
        betas: AdamW's decay rates of the first and second moment.
        epsilon: AdamW's term against division by zero.
        weight_decay: decoupled weight decay, on matrices only (biases and norms have none).
        clip: the largest norm of the gradient over all parameters.
        warmup: the share of steps in which the learning rate rises.
        schedule: ``linear`` to zero, or ``constant``.
        global_batch: sequences in one optimiser step, over all workers.
        sequence_length: tokens in one sequence; shorter ones are padded.
        dtype: of the weights in the forward and backward pass and of the saved model; the optimiser keeps float32.
        attention: the implementation of attention; ``eager`` is the fastest for short sequences on a CPU. No
            ``flash_attention_2``: in batches of more than one sequence, documents would see each other.
        initialise: start from the base's weights, or from random ones drawn with the job's seed.
    """

    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    betas: tuple[Fraction, Fraction] = (0.9, 0.95)
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    clip: Annotated[float, Field(gt=0)] = 1.0
    warmup: Fraction = 0.01
    schedule: Literal["linear", "constant"] = "linear"
    global_batch: Positive = 128
    sequence_length: Annotated[int, Field(ge=2)] = 4096
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    attention: Literal["sdpa", "eager"] = "sdpa"
    initialise: Literal["checkpoint", "random"] = "checkpoint"


class AnnealRuntime(Frozen):
    """What an anneal runs on. None of it enters a key.

    Attributes:
        workers: processes that train one job together, data-parallel.
        parallel_jobs: jobs trained side by side, each by `workers` processes. For models too small to fill the machine.
        use_gpu: one GPU a worker (NCCL) instead of one CPU core (Gloo).
        zero_stage: what DeepSpeed shards over the workers: 0 nothing, 1 optimiser, 2 gradients too, 3 weights too.
            In bfloat16 0 is 1: DeepSpeed's own bfloat16 optimiser would add gradients up in bfloat16.
        offload: keep the optimiser's state in the host's memory (stages 1 to 3).
        micro_batch: sequences in one forward pass of one worker; by default as many as there are for it in a step.
        gradient_checkpointing: compute activations again in the backward pass, to save memory.
        checkpoint_every: steps between checkpoints.
        keep: checkpoints kept; at least two, so that a torn one has one before it.
        threads: CPU threads a worker computes with.
        ray_address: a running Ray cluster to use; by default one is started on this machine.
        keep_warm: seconds that workers wait for more jobs after the last one, ready to train at once.
        collective_timeout: seconds that a worker waits for the others before the run is given up.
    """

    workers: Positive = 1
    parallel_jobs: Positive = 1
    use_gpu: bool = False
    zero_stage: Literal[0, 1, 2, 3] = 1
    offload: bool = False
    micro_batch: Positive | None = None
    gradient_checkpointing: bool = False
    checkpoint_every: Positive = 100
    keep: Annotated[int, Field(ge=2)] = 2
    threads: Positive = 1
    ray_address: str | None = None
    keep_warm: Annotated[int, Field(ge=0)] = 60
    collective_timeout: Positive = 1800

    @model_validator(mode="after")
    def _offload_has_something_to_move(self) -> AnnealRuntime:
        if self.offload and self.zero_stage == 0:
            raise ValueError("offload needs a zero_stage of 1, 2 or 3: with stage 0 nothing is sharded to be moved")
        return self


class AnnealJob(Frozen):
    """One arm with one seed.

    Attributes:
        name: what people call it, such as ``worked/seed-1``; names are unique in a queue and never enter a key.
        base: the folder of the base model: weights, config.json, tokenizer. With ``initialise: random`` the weights
            need not be there.
        base_digest: the digest of that folder.
        tokenizer: the digest of the tokenizer; packs made with another one are refused.
        template: the digest of the chat template, empty where there is none; packs of another one are refused.
        template_text: the chat template to save with the model; None leaves the base's own.
        packs: the pack of each source.
        plan: the order of training sequences.
        seed: of the random state, and of the weights with ``initialise: random``.
        config: how it is trained.
    """

    name: Annotated[str, Field(min_length=1)]
    base: Path
    base_digest: Annotated[str, Field(min_length=1)]
    tokenizer: Annotated[str, Field(min_length=1)]
    template: str = ""
    template_text: str | None = None
    packs: dict[str, ArtifactRef]
    plan: ArtifactRef
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    config: AnnealConfig

    @model_validator(mode="after")
    def _has_packs(self) -> AnnealJob:
        if not self.packs:
            raise ValueError(f"job {self.name!r} has no packs: give it the pack of each source its plan draws from")
        return self


def identity(job: AnnealJob) -> Identity:
    """Return what makes this job's artifact the same as another's: config, seed and the digests of its inputs."""
    inputs = {"base": job.base_digest, "tokenizer": job.tokenizer, "template": job.template, "plan": job.plan.digest}
    inputs |= {f"pack:{source}": job.packs[source].digest for source in sorted(job.packs)}
    return Identity.of(STAGE, STAGE_VERSION, {"config": job.config, "seed": job.seed}, inputs)


def micro_batch(config: AnnealConfig, runtime: AnnealRuntime) -> int:
    """Return the sequences in one forward pass of one worker.

    Raises:
        StudyError: if the global batch does not divide over the workers.
    """
    if config.global_batch % runtime.workers:
        raise StudyError(
            f"anneal.global_batch: {config.global_batch} sequences do not divide over {runtime.workers} workers",
            remedy="choose a number of workers that divides global_batch",
        )
    return runtime.micro_batch or config.global_batch // runtime.workers


def accumulation(config: AnnealConfig, runtime: AnnealRuntime) -> int:
    """Return the forward passes of each worker in one optimiser step.

    Raises:
        StudyError: if the global batch does not divide over workers x micro_batch.
    """
    micro = micro_batch(config, runtime)
    passes, rest = divmod(config.global_batch, runtime.workers * micro)
    if rest or not passes:
        raise StudyError(
            f"anneal.global_batch: {config.global_batch} sequences do not divide over {runtime.workers} workers"
            f" x micro_batch {micro}",
            remedy="choose workers and micro_batch so that their product divides global_batch",
        )
    return passes


def steps(job: AnnealJob) -> int:
    """Return the optimiser steps of a job: the rows of its plan over its global batch.

    Raises:
        StudyError: if the plan is empty or not a whole number of steps; no sequence is ever left out.
    """
    count, rest = divmod(job.plan.num_rows, job.config.global_batch)
    if rest or not count:
        raise StudyError(
            f"anneal: the plan of {job.name!r} has {job.plan.num_rows} sequences,"
            f" not a multiple of global_batch {job.config.global_batch}",
            remedy="make the plan with the same global_batch: it has steps x global_batch sequences",
        )
    return count


def check_queue(jobs: tuple[AnnealJob, ...] | list[AnnealJob], runtime: AnnealRuntime) -> None:
    """Check a whole queue before anything starts.

    Raises:
        StudyError: for a name used twice, a batch that does not divide, or a plan that is not whole steps.
    """
    names = [job.name for job in jobs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StudyError(f"anneal: the name {twice[0]!r} is used by more than one job", remedy="name each job once")
    for job in jobs:
        accumulation(job.config, runtime)
        steps(job)

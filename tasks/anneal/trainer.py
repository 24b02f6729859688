"""One anneal in an initialised process group: Hugging Face's Trainer over DeepSpeed, its data order and logs our own.

Every process of the group calls `train` with the same job. What the Trainer does by default and an exact, ordered run
must not leave to it is overridden here: the loader reads the plan, the loss is divided by the supervised tokens of the
*global* batch (known from the plan, so no process asks another), the learning rate is a pure function of the step, and
checkpoints are ours. Nothing outlives a job: engine, optimiser, random state and the libraries' globals are reset, so
the order of jobs in a queue changes no number.

torch, transformers, accelerate and deepspeed are imported only when a job runs.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.anneal import checkpoints, model_files
from tasks.anneal.config import AnnealJob, AnnealRuntime, accumulation, micro_batch
from tasks.anneal.data import Pack, Plan, collate, supervised_tokens, trained_tokens
from tasks.anneal.deepspeed_config import deepspeed_config
from tasks.anneal.flops import utilisation
from tasks.anneal.schedule import learning_rate_factor, positions
from tasks.core.errors import EngineError
from tasks.core.store import write_json

Step = dict[str, Any]
_FLUSH_EVERY = 10


@dataclass(frozen=True)
class Group:
    """The processes that train one job: this one's rank, how many there are, and one process's peak FLOPs a second."""

    rank: int
    size: int
    peak: float


@dataclass(frozen=True)
class Inputs:
    """What a job reads: its plan and the pack of each source."""

    plan: Plan
    packs: Mapping[str, Pack]


def train(
    job: AnnealJob,
    runtime: AnnealRuntime,
    inputs: Inputs,
    group: Group,
    *,
    scratch: Path,
    output: Path,
    on_step: Callable[[Step], None],
) -> list[Step]:
    """Train one job from its last whole checkpoint, or from the start; return its rows of the table STEPS.

    Args:
        scratch: a folder of this job that all processes see and that survives a kill.
        output: where rank 0 writes the trained model, ready for vLLM.
        on_step: called on rank 0 with each new row, a few at a time.

    Raises:
        EngineError: if the loss stops being a number, or the last checkpoint is of another shape of run.
    """
    _reset_libraries()
    _join_deepspeed()
    arguments = _arguments(job, runtime, scratch, len(inputs.plan) // job.config.global_batch)
    model = model_files.load(job, scratch, group.rank)
    trainer = _trainer_class()(job, runtime, inputs, group, scratch / "checkpoints", on_step, model, arguments)
    try:
        trainer.train()
        trainer.check_finished()
        model_files.save(job, model, trainer.full_state(), output)
        return list(trainer.rows)
    finally:
        trainer.close()
        _reset_libraries()


def _arguments(job: AnnealJob, runtime: AnnealRuntime, scratch: Path, steps: int) -> Any:
    """Return the Trainer's arguments. They must exist before the model: under ZeRO-3 they shard it as it is loaded."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(scratch),
        deepspeed=deepspeed_config(job.config, runtime),
        use_cpu=not runtime.use_gpu,
        bf16=job.config.dtype == "bfloat16",
        max_steps=steps,
        per_device_train_batch_size=micro_batch(job.config, runtime),
        gradient_accumulation_steps=accumulation(job.config, runtime),
        learning_rate=job.config.learning_rate,
        adam_beta1=job.config.betas[0],
        adam_beta2=job.config.betas[1],
        adam_epsilon=job.config.epsilon,
        weight_decay=job.config.weight_decay,
        max_grad_norm=job.config.clip,
        gradient_checkpointing=runtime.gradient_checkpointing,
        seed=job.seed,
        logging_nan_inf_filter=False,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        log_level="warning",
    )


def _join_deepspeed() -> None:
    """Show DeepSpeed the process group. Left to itself it looks only after ZeRO-3 has sharded the model, for one."""
    import deepspeed
    import torch.distributed as dist

    deepspeed.init_distributed(dist_backend=dist.get_backend(), verbose=False)


def _reset_libraries() -> None:
    """Forget what accelerate, transformers and DeepSpeed keep in globals between jobs. The process group stays."""
    import gc

    from accelerate.state import AcceleratorState, GradientState
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    unset_hf_deepspeed_config()
    gc.collect()


class _Loader:
    """The batches of one worker, in the plan's order, from a step on."""

    def __init__(self, job: AnnealJob, runtime: AnnealRuntime, inputs: Inputs, group: Group, padding: int) -> None:
        self.first = 0
        self._inputs, self._length, self._padding = inputs, job.config.sequence_length, padding
        self._shape = (accumulation(job.config, runtime), micro_batch(job.config, runtime), group.size, group.rank)
        self._steps = len(inputs.plan) // job.config.global_batch

    def __len__(self) -> int:
        return (self._steps - self.first) * self._shape[0]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        import torch

        for step in range(self.first, self._steps):
            for where in positions(step, *self._shape):
                batch = collate(self._inputs.plan, self._inputs.packs, where, self._length, self._padding)
                yield {name: torch.from_numpy(array) for name, array in batch.items()}


class _Schedule:
    """The learning rate as a function of the step alone, in the place of a torch scheduler."""

    def __init__(self, groups: Callable[[], list[dict[str, Any]]], rate: Callable[[int], float]) -> None:
        self._groups, self._rate = groups, rate
        self.seek(0)

    def seek(self, step: int) -> None:
        self._step = step
        for group in self._groups():
            group["lr"] = self.rate

    def step(self) -> None:
        self.seek(self._step + 1)

    @property
    def rate(self) -> float:
        return self._rate(self._step)


class _Anneal:
    """What an anneal changes in the Trainer: mixed in before it, since its class is imported only when a job runs."""

    args: Any
    state: Any
    model: Any
    model_wrapped: Any
    optimizer: Any
    lr_scheduler: Any
    deepspeed: Any
    accelerator: Any
    get_decay_parameter_names: Any
    _globalstep_last_logged: int

    def __init__(
        self,
        job: AnnealJob,
        runtime: AnnealRuntime,
        inputs: Inputs,
        group: Group,
        saved: Path,
        on_step: Callable[[Step], None],
        model: Any,
        arguments: Any,
    ) -> None:
        self.job, self.runtime, self.group, self.saved, self.on_step = job, runtime, group, saved, on_step
        self._shape = checkpoints.run_shape(job.config, runtime)
        self.rows: list[Step] = []
        self._pending: list[tuple[int, Any, float, float]] = []
        self._parameters = model_files.parameters(model)
        padding = model_files.padding_id(model.config)
        self._loader = _Loader(job, runtime, inputs, group, padding)
        shape = (-1, job.config.global_batch)
        self._supervised = supervised_tokens(inputs.plan, inputs.packs).reshape(shape).sum(axis=1)
        self._tokens = trained_tokens(inputs.plan, inputs.packs).reshape(shape).sum(axis=1)
        super().__init__(model=model, args=arguments)  # type: ignore[call-arg]

    # -- data ------------------------------------------------------------------------------------------------

    def get_train_dataloader(self) -> Any:
        return self._loader

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: Any) -> tuple[Any, Any]:
        import torch

        batches = list(itertools.islice(epoch_iterator, num_batches))
        count = int(self._supervised[self.state.global_step])
        return batches, torch.tensor(max(count, 1), device=device)

    # -- optimiser and schedule ------------------------------------------------------------------------------

    def create_optimizer(self, model: Any = None) -> Any:
        import torch

        if self.optimizer is None:
            config, target = self.job.config, model or self.model
            decayed = set(self.get_decay_parameter_names(target))
            named = [(name, p) for name, p in target.named_parameters() if p.requires_grad]
            groups = [
                {"params": [p for name, p in named if name in decayed], "weight_decay": config.weight_decay},
                {"params": [p for name, p in named if name not in decayed], "weight_decay": 0.0},
            ]
            self.optimizer = torch.optim.AdamW(
                groups, lr=config.learning_rate, betas=config.betas, eps=config.epsilon, fused=True
            )
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:  # noqa: ARG002
        config = self.job.config

        def rate(step: int) -> float:
            return config.learning_rate * learning_rate_factor(config, step, num_training_steps)

        self.lr_scheduler = _Schedule(lambda: self.optimizer.param_groups, rate)
        return self.lr_scheduler

    def _prepare_for_training(self, max_steps: int, train_dataloader: Any, resume_from_checkpoint: Any) -> Any:
        from transformers import set_seed

        prepared = super()._prepare_for_training(  # type: ignore[misc]
            max_steps, train_dataloader, resume_from_checkpoint
        )
        set_seed(self.job.seed + self.group.rank)
        self._resume()
        self._clock = time.perf_counter()
        return prepared

    # -- what is cheap to leave out --------------------------------------------------------------------------

    def floating_point_ops(self, inputs: Any) -> int:  # noqa: ARG002
        return 0

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None: ...

    # -- steps -----------------------------------------------------------------------------------------------

    def _get_learning_rate(self) -> float:
        return float(self.lr_scheduler.rate)

    def _maybe_log_save_evaluate(self, tr_loss: Any, *_: Any, learning_rate: Any = None) -> None:
        step = self.state.global_step
        if step == self._globalstep_last_logged:  # the call at the epoch's end
            return
        self._globalstep_last_logged = step
        now = time.perf_counter()
        self._pending.append((step, tr_loss.clone(), float(learning_rate), now - self._clock))
        self._clock = now
        tr_loss.zero_()
        last = step == self.state.max_steps
        save = step % self.runtime.checkpoint_every == 0 and not last
        if save or last or len(self._pending) == _FLUSH_EVERY:
            self._flush()
        if save:
            self._save()
            self._clock = time.perf_counter()

    def _flush(self) -> None:
        """Average the pending losses over the group, and make rows of them."""
        import torch
        import torch.distributed as dist

        losses = torch.stack([loss.float() for _, loss, _, _ in self._pending])
        if self.group.size > 1:
            dist.all_reduce(losses)
            losses /= self.group.size
        for (step, _, rate, seconds), loss in zip(self._pending, losses.tolist(), strict=True):
            self._record(step, loss, rate, seconds)
        self._pending.clear()

    def _record(self, step: int, loss: float, rate: float, seconds: float) -> None:
        if not math.isfinite(loss):
            raise EngineError(
                f"{self.job.name!r}: the loss of step {step} is {loss}",
                remedy="lower anneal.learning_rate, or train in float32",
            )
        tokens = int(self._tokens[step - 1])
        speed = tokens / seconds
        mfu = utilisation(self._parameters, speed, self.group.peak * self.group.size)
        row = {"step": step, "loss": loss, "learning_rate": rate, "tokens": tokens, "seconds": seconds}
        self.rows.append(row | {"tokens_per_second": speed, "mfu": mfu})
        if self.group.rank == 0:
            self.on_step(self.rows[-1])

    # -- checkpoints -----------------------------------------------------------------------------------------

    def _save(self) -> None:
        import torch

        folder = checkpoints.checkpoint_folder(self.saved, self.state.global_step)
        if self.group.rank == 0:
            checkpoints.prune(self.saved, self.runtime.keep)
            folder.mkdir(parents=True, exist_ok=True)
        self._barrier()
        self.model_wrapped.save_checkpoint(str(folder), tag="engine", save_latest=False)
        torch.save(model_files.random_state(), folder / f"random-{self.group.rank}.pt")
        if self.group.rank == 0:
            write_json(folder / "steps.json", self.rows)
        self._barrier()
        if self.group.rank == 0:
            checkpoints.commit(folder, self.state.global_step, self._shape)
            checkpoints.prune(self.saved, self.runtime.keep)

    def _resume(self) -> None:
        import torch

        found = checkpoints.latest(self.saved)
        if found is None:
            return
        checkpoints.check_shape(found, self._shape, self.job.name)
        path, _ = self.model_wrapped.load_checkpoint(str(found.folder), tag="engine")
        if path is None:
            raise EngineError(
                f"DeepSpeed could not read the checkpoint {found.folder}", remedy="remove it and run again"
            )
        random = torch.load(found.folder / f"random-{self.group.rank}.pt", weights_only=False)
        model_files.restore_random_state(random)
        self.rows = json.loads((found.folder / "steps.json").read_text())
        self.state.global_step = self._loader.first = found.step
        self.lr_scheduler.seek(found.step)

    def _barrier(self) -> None:
        import torch.distributed as dist

        if self.group.size > 1:
            dist.barrier()

    # -- the end ---------------------------------------------------------------------------------------------

    def check_finished(self) -> None:
        if [row["step"] for row in self.rows] != list(range(1, self.state.max_steps + 1)):
            raise EngineError(
                f"{self.job.name!r}: {len(self.rows)} of {self.state.max_steps} steps were trained",
                remedy="report this: the Trainer stopped early without saying why",
            )

    def full_state(self) -> Mapping[str, Any] | None:
        """Return all weights on rank 0, None elsewhere."""
        if self.runtime.zero_stage == 3:
            state: Mapping[str, Any] | None = self.model_wrapped._zero3_consolidated_16bit_state_dict()
            return state
        return dict(self.model.state_dict()) if self.group.rank == 0 else None

    def close(self) -> None:
        """Let go of the engine and all it holds."""
        if hasattr(self.model_wrapped, "destroy"):
            self.model_wrapped.destroy()
        self.accelerator.free_memory()
        self.model = self.model_wrapped = self.optimizer = self.lr_scheduler = self.deepspeed = None


def _trainer_class() -> Any:
    """Return the Trainer with an anneal's changes mixed in."""
    from transformers import PrinterCallback, Trainer

    class AnnealTrainer(_Anneal, Trainer):  # type: ignore[misc]
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.remove_callback(PrinterCallback)

    return AnnealTrainer

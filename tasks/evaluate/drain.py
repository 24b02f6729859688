"""Scores many models on many benchmarks through the store: only what is not there yet, each published when done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tasks.core.checkpoint import own_template, template_digest, tokenizer_digest
from tasks.core.errors import DataError, IntegrityError
from tasks.core.identity import Identity
from tasks.core.rows import DROPS, SCORES, read_rows, write_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.evaluate.config import EvaluateConfig, EvaluateJob, EvaluateRuntime
from tasks.evaluate.engine import EvaluationEngine, Progress, RawResult, Task, Work
from tasks.evaluate.normalise import accuracy, normalise
from tasks.evaluate.suite import check_allowed, evaluation_identity, suite_of


def identity_of(job: EvaluateJob, config: EvaluateConfig, runtime: EvaluateRuntime) -> Identity:
    """Return the identity of one job's scores; see `evaluation_identity`."""
    return evaluation_identity(
        model_digest=job.digest,
        tokenizer=job.tokenizer,
        benchmark=job.benchmark,
        config=config,
        data=Path(runtime.data),
    )


def evaluate(
    jobs: Sequence[EvaluateJob],
    *,
    config: EvaluateConfig,
    runtime: EvaluateRuntime,
    store: Store,
    engine: EvaluationEngine,
    on_progress: Callable[[Progress], None],
) -> list[ArtifactRef]:
    """Return the scores of each job, in the jobs' order: artifacts of `SCORES` rows.

    Jobs whose scores are in the store are not run. A kill loses at most what was being scored.

    Raises:
        StudyError: where a benchmark would run model-written code and the study does not allow it.
        IntegrityError: where a model has another tokenizer or template than its job says.
        DataError: where a benchmark's or a model's files are missing or cannot be used. Nothing was started.
        EngineError, InfrastructureError, IntegrityError: see `EvaluationEngine.run` and `normalise`.
    """
    check_allowed([job.benchmark for job in jobs], config)
    identities = [identity_of(job, config, runtime) for job in jobs]
    if any(store.find(identity) is None for identity in identities):
        _drain(jobs, identities, config, runtime, store, engine, on_progress)
    return [published(store, identity) for identity in identities]


def _drain(
    jobs: Sequence[EvaluateJob],
    identities: Sequence[Identity],
    config: EvaluateConfig,
    runtime: EvaluateRuntime,
    store: Store,
    engine: EvaluationEngine,
    on_progress: Callable[[Progress], None],
) -> None:
    with ExitStack() as locks:
        # One run a model at a time: of two studies that share models, the second waits and reads. Sorted, so that two
        # never wait for each other.
        for digest in sorted({job.digest for job in jobs}):
            locks.enter_context(store.locked(f"evaluate-model-{digest[:20]}"))
        missing = {i.key: (job, i) for job, i in zip(jobs, identities, strict=True) if store.find(i) is None}
        tasks = [task_of(job, identity, config, runtime, store) for job, identity in missing.values()]
        for job, _ in missing.values():
            _check_answers(job, config, store)

        def publish(task: Task, raw: RawResult) -> None:
            job, identity = missing[task.key]
            rows = normalise(raw, task.suite)
            store.produce(identity, lambda draft: _write(draft, job, raw, rows))

        if tasks:
            engine.run(tasks, RawResult, publish, on_progress)


def task_of(
    job: EvaluateJob,
    identity: Identity,
    config: EvaluateConfig,
    runtime: EvaluateRuntime,
    store: Store,
    work: Work = "score",
) -> Task:
    """Return the driver's task for one job; what it needs is written into the scratch folder of `identity`.

    Raises:
        DataError: where the model's or the benchmark's files are missing or cannot be used.
        IntegrityError: where the model has another tokenizer or template than its job says.
    """
    folder = Path(job.folder).absolute()
    if not (folder / "config.json").is_file():
        raise DataError(f"{folder} holds no model: config.json is missing", remedy=f"train {job.name} again")
    _check_tokenizer(job, folder)
    scratch = store.scratch(identity)
    return Task(
        key=identity.key,
        work=work,
        model=job.name,
        folder=str(folder),
        suite=suite_of(job.benchmark, config, scratch),
        profile=config.profile,
        dtype=config.dtype,
        max_context=config.max_context,
        engine=config.engine,
        answers=tuple(str(store.folder(ref)) for ref in job.answers),
        out=str(scratch / "raw.json"),
        batch_size=runtime.batch_size,
        device=runtime.device,
    )


def _check_answers(job: EvaluateJob, config: EvaluateConfig, store: Store) -> None:
    """Refuse to score a model that did not answer all that it was asked."""
    what = f"{job.name} on {job.benchmark.name}"
    if config.engine == "vllm" and not job.answers:
        raise IntegrityError(
            f"{what}: there are no answers to score", remedy="record the benchmark and have it answered"
        )
    for ref in job.answers:
        first = next(read_rows(store.folder(ref) / "dropped", DROPS), None)
        if first is not None:
            raise IntegrityError(
                f"{what}: {store.manifest(ref).num_dropped} requests were not answered, the first of them "
                f"{first['row_id']}: {first['reason']}: {first['detail']}",
                remedy="mend what the reason says, or evaluate with engine: transformers",
            )


def _check_tokenizer(job: EvaluateJob, folder: Path) -> None:
    """Refuse a model whose tokenizer or chat template is not the one that it was trained with."""
    found = {"tokenizer": tokenizer_digest(folder), "template": template_digest(own_template(folder))}
    for what, expected in (("tokenizer", job.tokenizer), ("template", job.template)):
        if expected and found[what] != expected:
            raise IntegrityError(
                f"{folder}: its {what} is not the one that {job.name} was trained with",
                remedy="score the folder that the anneal saved, untouched; or train it again",
            )


def _write(draft: Draft, job: EvaluateJob, raw: RawResult, rows: list[dict[str, Any]]) -> None:
    draft.num_rows = write_rows(draft.folder, rows, SCORES)
    draft.columns = dict(SCORES)
    draft.seconds = raw.seconds
    draft.sources = {"model": job.name, **{f"answers-{i}": ref.path for i, ref in enumerate(job.answers)}}
    draft.provenance = {
        "engines": raw.versions,
        "seconds": raw.seconds,
        "items": len(rows),
        "accuracy": round(accuracy(rows), 6),
        "opencompass": {subset.abbr: subset.metrics for subset in raw.subsets},
        "output_tokens": sum(row.tokens for subset in raw.subsets for row in subset.rows),
        "truncated": sum(row["truncated"] for row in rows),
        "prompts_cut": raw.prompts_cut,
    }


def published(store: Store, identity: Identity) -> ArtifactRef:
    """Return what a run of the engine was to publish."""
    ref = store.find(identity)
    if ref is None:
        raise LookupError(f"{identity.stage} {identity.key[:20]} was run and not published")
    return ref

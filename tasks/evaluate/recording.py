"""What benchmarks ask of a model, recorded as requests that another engine can answer.

What is asked depends on the benchmark, the tokenizer with its chat template, and the context, never on the weights: so
one recording serves all arms and seeds of a study.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tasks.core.checkpoint import own_template, template_digest, tokenizer_digest
from tasks.core.digests import file_digest
from tasks.core.errors import DataError
from tasks.core.identity import Frozen, Identity
from tasks.core.rows import REQUESTS, shards
from tasks.core.store import ArtifactRef, Draft, Store, write_json
from tasks.evaluate.config import STAGE_VERSION, EvaluateConfig, EvaluateJob, EvaluateRuntime
from tasks.evaluate.drain import published, task_of
from tasks.evaluate.engine import EvaluationEngine, Progress, RawTable, RawTables, Task
from tasks.evaluate.suite import asked_of, data_digest

RECORD_STAGE = "record"
_RECORDING = "recording.json"


class Asked(Frozen):
    """Requests that are answered alike.

    Attributes:
        requests: an artifact of `REQUESTS`, each with a prompt as it is to be sent.
        max_output_tokens: the most tokens an answer may have; None where the prompts are texts to score.
        stop: what ends an answer.
    """

    requests: ArtifactRef
    max_output_tokens: int | None
    stop: tuple[str, ...]


class Recording(Frozen):
    """All that one benchmark asks. `context` is the most tokens of prompt and answer together."""

    benchmark: str
    context: int
    asked: tuple[Asked, ...]


def read_recording(store: Store, ref: ArtifactRef) -> Recording:
    """Return a recording that was published."""
    return Recording.model_validate_json((store.folder(ref) / _RECORDING).read_bytes())


def recording_identity(job: EvaluateJob, config: EvaluateConfig, runtime: EvaluateRuntime) -> Identity:
    """Return the identity of what a benchmark asks a model. It reads files, and starts nothing.

    Raises:
        DataError: where a file is missing.
    """
    folder = Path(job.folder)
    if not (folder / "config.json").is_file():
        raise DataError(f"{folder} holds no model: config.json is missing", remedy=f"train {job.name} again")
    how = {"profile": config.profile, "max_context": config.max_context, "benchmark": asked_of(job.benchmark, config)}
    inputs = {
        "benchmark": data_digest(job.benchmark, Path(runtime.data)),
        "tokenizer": tokenizer_digest(folder),
        "template": template_digest(own_template(folder)),
        "shape": file_digest(folder / "config.json"),
    }
    return Identity.of(RECORD_STAGE, STAGE_VERSION, how, inputs)


def record(
    jobs: Sequence[EvaluateJob],
    *,
    config: EvaluateConfig,
    runtime: EvaluateRuntime,
    store: Store,
    engine: EvaluationEngine,
    on_progress: Callable[[Progress], None],
) -> list[ArtifactRef]:
    """Return the recording of what each job asks, in the jobs' order; see `read_recording`. Equal ones are made once.

    Raises:
        IntegrityError: where a model has another tokenizer or template than its job says.
        DataError: where a benchmark's or a model's files are missing or cannot be used. Nothing was started.
        EngineError, InfrastructureError, IntegrityError: see `EvaluationEngine.run`.
    """
    identities = [recording_identity(job, config, runtime) for job in jobs]
    wanted = {identity.key: (job, identity) for job, identity in zip(jobs, identities, strict=True)}
    with ExitStack() as locks:
        for key in sorted(key for key, (_, identity) in wanted.items() if store.find(identity) is None):
            locks.enter_context(store.locked(f"recording-{key[:20]}"))
        missing = {key: made for key, made in wanted.items() if store.find(made[1]) is None}

        def publish(task: Task, raw: RawTables) -> None:
            _publish(store, missing[task.key][1], raw)

        tasks = [task_of(job, identity, config, runtime, store, "record") for job, identity in missing.values()]
        if tasks:
            engine.run(tasks, RawTables, publish, on_progress)
    return [published(store, identity) for identity in identities]


def _publish(store: Store, identity: Identity, raw: RawTables) -> None:
    asked = tuple(
        Asked(
            requests=_requests(store, identity, raw, table), max_output_tokens=table.max_output_tokens, stop=table.stop
        )
        for table in raw.tables
    )
    recording = Recording(benchmark=raw.benchmark, context=raw.context, asked=asked)

    def build(draft: Draft) -> None:
        write_json(draft.folder / _RECORDING, recording.model_dump(mode="json"))
        draft.num_rows = sum(part.requests.num_rows for part in asked)
        draft.sources = {f"requests-{i}": part.requests.path for i, part in enumerate(asked)}
        draft.provenance = {"engines": raw.versions, "seconds": raw.seconds}

    store.produce(identity, build)


def _requests(store: Store, identity: Identity, raw: RawTables, table: RawTable) -> ArtifactRef:
    """Publish one table of requests; its identity is the recording's and how its answers end."""
    ending = {"max_output_tokens": table.max_output_tokens, "stop": list(table.stop)}

    def build(draft: Draft) -> None:
        for path in shards(Path(table.folder)):
            shutil.copy(path, draft.folder)
        draft.num_rows, draft.columns = table.rows, dict(REQUESTS)
        draft.provenance = {"engines": raw.versions}

    return store.produce(Identity.of("requests", STAGE_VERSION, {**identity.config, **ending}, identity.inputs), build)

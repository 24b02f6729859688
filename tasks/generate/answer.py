"""Requests into outcomes: the stage without Prefect.

Requests are cut into shards, shards answered and committed by `drive`, and once all are there, put together in the
order of the requests and published. What a kill interrupts goes on from the committed shards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.core.errors import IntegrityError, StudyError
from tasks.core.rows import (
    DROPS,
    OUTCOMES,
    REQUESTS,
    Columns,
    RowWriter,
    read_tables,
    regrouped,
    shards,
    write_rows,
)
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.generate.artifact import identity, teacher_digest
from tasks.generate.budget import NOTHING, Budget, Spent, device_hours
from tasks.generate.checks import check_teacher
from tasks.generate.config import GenerateConfig, GenerateRuntime
from tasks.generate.drive import drive
from tasks.generate.engine import Engine, Meters, Progress, Report
from tasks.generate.ledger import Committed, Ledger
from tasks.generate.shards import Row, cut, even_rows, shard_count

#: What each shard took; under ``logs/``.
TIMINGS: Columns = {
    "shard": "int64", "rows": "int64", "dropped": "int64", "prompt_tokens": "int64", "output_tokens": "int64",
    "cut": "int64", "seconds": "double", "requeues": "int64",
}  # fmt: skip

OpenEngine = Callable[[GenerateConfig, GenerateRuntime, Path], Engine]


def answer(
    name: str, config: GenerateConfig, requests: ArtifactRef, runtime: GenerateRuntime, store: Store, *,
    report: Report, before: Spent = NOTHING, open_engine: OpenEngine | None = None,
) -> ArtifactRef:  # fmt: skip
    """Return the outcomes of `requests` (REQUESTS), asking only for what is not in the store yet.

    The artifact holds OUTCOMES in the order of the requests; what could not be answered is under ``dropped/`` (DROPS)
    with its reason, the shards' timings under ``logs/shards/``.

    Args:
        name: what people call these answers; it never enters the key.
        runtime: what models run on; see `GenerateRuntime.of`.
        before: what the same run spent on other answers; the caps of `runtime` are over all of them.
        open_engine: replaces the engine that `config` names, in tests.

    Raises:
        StudyError: if the teacher or the machine cannot do what is asked; nothing was started.
        DataError: if the requests cannot be used as declared.
        BudgetReached: at a cap of `runtime`.
        EngineError, InfrastructureError: see `Engine.wait` and `drive`. Committed shards are kept.
    """
    found, own = identity(config, requests, teacher_digest(config.model)), runtime.of(config.model)
    if (ref := store.find(found)) is not None:
        report(Progress("cached", ref.num_rows, ref.num_rows))
        return ref

    def build(draft: Draft) -> None:
        folder = store.folder(requests)
        total = _count(folder)
        rows = even_rows(total, config.shard_rows)
        ledger, budget = Ledger(draft.scratch), Budget(config.model, own, before)
        opened = open_engine or _engine_of(config)
        drive(
            name, cut(read_tables(folder, REQUESTS), rows), shard_count(total, rows), total, ledger, budget,
            lambda: opened(_checked(config, folder), own, draft.scratch), report,
        )  # fmt: skip
        draft.sources = {"requests": requests.path, "teacher": config.model.name}
        _publish(name, total, budget, ledger, draft)

    return store.produce(found, build)


def _count(requests: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in shards(requests))


def _checked(config: GenerateConfig, requests: Path) -> GenerateConfig:
    first = next(read_tables(requests, ["messages"]), None)
    check_teacher(config.model, chat=first is not None and first["messages"][0].is_valid)
    return config


def _engine_of(config: GenerateConfig) -> OpenEngine:
    if config.model.engine == "vllm":
        from tasks.generate.vllm_pool import VllmPool

        return VllmPool
    if config.model.engine == "openai":
        from tasks.generate.endpoint import Endpoint

        return Endpoint
    raise StudyError("model.engine: `scripted` answers in unit tests only", remedy="take vllm or openai")


def _publish(name: str, asked: int, budget: Budget, ledger: Ledger, draft: Draft) -> None:
    import pyarrow.compute as pc

    reasons = Counter[str]()
    with RowWriter(draft.folder, OUTCOMES) as made, RowWriter(draft.folder / "dropped", DROPS) as dropped:
        for answers in regrouped(ledger.answers()):
            is_made = pc.is_null(answers["reason"])
            made.write_table(answers.filter(is_made).select(list(OUTCOMES)))
            for row in answers.filter(pc.invert(is_made)).to_pylist():
                reasons[row["reason"]] += 1
                dropped.write(_drop(name, row))
    draft.num_rows = made.count
    draft.num_dropped, draft.columns = dropped.count, OUTCOMES
    if (came := draft.num_rows + draft.num_dropped) != asked:
        raise IntegrityError(f"{name}: {asked} requests, {came} answers", remedy="report this")
    write_rows(draft.folder / "logs" / "shards", map(_timing, ledger.committed), TIMINGS)
    draft.provenance = {"name": name, "dropped": dict(reasons), **_provenance(ledger, budget)}


def _drop(name: str, row: Row) -> Row:
    return {
        "row_id": row["row_id"], "source": name, "origin": f"sample {row['sample']}", "reason": row["reason"],
        "detail": row["detail"],
    }  # fmt: skip


def _timing(shard: Committed) -> Row:
    return {"shard": shard.shard, **shard.meters, "requeues": shard.losses}


def _provenance(ledger: Ledger, budget: Budget) -> dict[str, Any]:
    meters: Meters = ledger.meters
    tokens = meters.output_tokens or meters.prompt_tokens
    engines: dict[str, set[str]] = {}
    for shard in ledger.committed:
        for package, version in shard.engines.items():
            engines.setdefault(package, set()).add(version)
    return {
        "prompt_tokens": meters.prompt_tokens,
        "output_tokens": meters.output_tokens,
        "cut": meters.cut,
        "tokens_per_second_actor": round(tokens / meters.seconds, 1) if meters.seconds else 0.0,
        "seconds": round(meters.seconds, 3),
        "device_hours": round(device_hours(meters, budget.teacher, budget.runtime), 6),
        "cost": round(budget.cost(meters), 6),
        "requeues": sum(shard.losses for shard in ledger.committed),
        "shards": len(ledger.committed),
        "engines": {package: ", ".join(sorted(versions)) for package, versions in engines.items()},
        "runtime": budget.runtime.model_dump(mode="json"),
    }

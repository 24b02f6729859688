"""The items of benchmarks as texts, by the names that their scores have: for decontamination, and for people.

An item's text is what it asks, in its own words: no few-shot examples, no instructions, the options of multiple choice
included. Where its gold answer is a worked solution, that is a text of its own: a training row that holds the solution
gives the item away as well as one that holds the question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.identity import Identity
from tasks.core.rows import ITEMS, RowWriter, read_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.evaluate.config import STAGE_VERSION, BenchmarkConfig, EvaluateConfig, EvaluateRuntime
from tasks.evaluate.custom import read_custom
from tasks.evaluate.engine import EvaluationEngine, Progress, RawTables, Task
from tasks.evaluate.naming import item_name
from tasks.evaluate.suite import data_digest, registered_suite

ITEMS_STAGE = "items"
#: A shorter gold answer ("42", "B", a name) does not tell one item from all others.
_SOLUTION_WORDS = 16
#: What of a benchmark's declaration its items depend on.
_ASKED = {"limit", "subsets", "kind", "question", "answer", "choices", "cluster"}


class Item(NamedTuple):
    """An item: its name, what it asks in parts, and its gold answer (empty where there is none)."""

    name: str
    asked: Sequence[Any]
    gold: str


def item_rows(benchmark: str, item: Item) -> Iterator[dict[str, str]]:
    """Yield an item's rows of `ITEMS`: what it asks, and its solution where that is long enough to identify it."""
    text = "\n".join(part for part in map(str, item.asked) if part)
    solution = [item.gold] if len(item.gold.split()) >= _SOLUTION_WORDS else []
    yield from ({"benchmark": benchmark, "item": item.name, "text": said} for said in (text, *solution))


def custom_items(benchmark: BenchmarkConfig) -> Iterator[dict[str, str]]:
    """Yield the rows of `ITEMS` of a file of the study's own.

    Raises:
        DataError: naming the file and line that cannot be used.
    """
    for index, row in enumerate(read_custom(benchmark).rows[: benchmark.limit]):
        item = Item(item_name(benchmark.name, index, row), (row["question"], row["options"]), row["answer"])
        yield from item_rows(benchmark.name, item)


def items_identity(benchmarks: Sequence[BenchmarkConfig], config: EvaluateConfig, runtime: EvaluateRuntime) -> Identity:
    """Return the identity of the items of some benchmarks. It reads their files, and starts nothing.

    Raises:
        DataError: where a file is missing.
    """
    asked = {benchmark.name: benchmark.model_dump(include=_ASKED) for benchmark in benchmarks}
    digests = {f"benchmark-{benchmark.name}": data_digest(benchmark, Path(runtime.data)) for benchmark in benchmarks}
    return Identity.of(ITEMS_STAGE, STAGE_VERSION, {"profile": config.profile, "benchmarks": asked}, digests)


def publish_items(
    benchmarks: Sequence[BenchmarkConfig],
    *,
    config: EvaluateConfig,
    runtime: EvaluateRuntime,
    store: Store,
    engine: EvaluationEngine,
    on_progress: Callable[[Progress], None],
) -> ArtifactRef:
    """Return the items of all benchmarks, in their order: an artifact of `ITEMS` rows.

    A study's own files are read here; `engine` is started only where a benchmark of the registry is among them.

    Raises:
        DataError: where a benchmark's files are missing or cannot be used.
        EngineError, InfrastructureError, IntegrityError: see `EvaluationEngine.run`.
    """
    identity = items_identity(benchmarks, config, runtime)

    def build(draft: Draft) -> None:
        tasks = [_task(b, identity, config, draft.scratch) for b in benchmarks if not b.custom]
        found: dict[str, RawTables] = {}

        def keep(_: Task, raw: RawTables) -> None:
            found[raw.benchmark] = raw

        engine.run(tasks, RawTables, keep, on_progress)
        with RowWriter(draft.folder, ITEMS) as writer:
            for benchmark in benchmarks:
                for row in _rows(benchmark, found):
                    writer.write(row)
        draft.num_rows, draft.columns = writer.count, dict(ITEMS)
        draft.provenance = {"engines": next((raw.versions for raw in found.values()), {})}

    return store.produce(identity, build)


def _rows(benchmark: BenchmarkConfig, found: dict[str, RawTables]) -> Iterable[dict[str, Any]]:
    if benchmark.custom:
        return custom_items(benchmark)
    return (row for table in found[benchmark.name].tables for row in read_rows(Path(table.folder)))


def _task(benchmark: BenchmarkConfig, identity: Identity, config: EvaluateConfig, scratch: Path) -> Task:
    return Task(
        key=f"{identity.key}-{benchmark.name}",
        work="items",
        suite=registered_suite(benchmark, config),
        profile=config.profile,
        out=str(scratch / f"{benchmark.name}.json"),
    )

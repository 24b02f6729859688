"""The compare task: the scores of all arms and seeds in, one ``comparison.json`` out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from prefect import task

from tasks.compare.config import STAGE_VERSION, BenchmarkFacts, CompareConfig, ScoredArm
from tasks.compare.pairing import Key, Scores, pair
from tasks.compare.provenance import Origin, check_origins
from tasks.compare.verdict import judge
from tasks.core.errors import IntegrityError
from tasks.core.identity import Identity
from tasks.core.results import Comparison
from tasks.core.rows import shards
from tasks.core.store import ArtifactRef, Draft, Manifest, Store

COMPARISON = "comparison.json"


def identity(
    scored: Sequence[ScoredArm], benchmarks: Sequence[BenchmarkFacts], control: str, config: CompareConfig
) -> Identity:
    """Return what a comparison is: its rule, its benchmarks' facts and the digest of every table of scores."""
    facts = sorted((fact.model_dump() for fact in benchmarks), key=lambda fact: str(fact["name"]))
    inputs = {f"{one.benchmark}/{one.seed}/{one.arm}": one.scores.digest for one in scored}
    return Identity.of("compare", STAGE_VERSION, {"rule": config, "benchmarks": facts, "control": control}, inputs)


@task(name="compare", task_run_name="compare with {control}")
def compare_arms(
    scored: Sequence[ScoredArm],
    benchmarks: Sequence[BenchmarkFacts],
    control: str,
    config: CompareConfig,
    store_root: Path,
) -> ArtifactRef:
    """Publish the deltas, intervals and verdicts of a study as ``comparison.json`` (`core.results.Comparison`).

    Args:
        scored: every (arm, seed, benchmark), in any order, the control's among them.
        benchmarks: the domain and metric of each benchmark.
        control: the control arm's name.

    Raises:
        IntegrityError: if two arms were not asked the same questions by the same engines; it names what to run again.
        StudyError: if no primary benchmark is among those scored.
    """
    store = Store(store_root)
    check_origins({(one.arm, one.seed, one.benchmark): _origin(store, one) for one in scored}, control)

    def build(draft: Draft) -> None:
        tables = {(one.arm, one.seed, one.benchmark): _scores(store.folder(one.scores)) for one in scored}
        comparison = compare_tables(tables, benchmarks, control, config)
        comparison = comparison.model_copy(update={"warnings": (*comparison.warnings, *_cut_prompts(store, scored))})
        (draft.folder / COMPARISON).write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.provenance = {"verdicts": {one.name: one.verdict for one in comparison.candidates}}

    return store.produce(identity(scored, benchmarks, control, config), build)


def compare_tables(
    tables: dict[Key, Scores], benchmarks: Sequence[BenchmarkFacts], control: str, config: CompareConfig
) -> Comparison:
    """Return the comparison of tables of scores by (arm, seed, benchmark); pure."""
    return judge(pair(tables, control), benchmarks, config)


def read_comparison(store: Store, ref: ArtifactRef) -> Comparison:
    """Return what `compare_arms` published."""
    return Comparison.model_validate_json((store.folder(ref) / COMPARISON).read_text(encoding="utf-8"))


def _cut_prompts(store: Store, scored: Sequence[ScoredArm]) -> list[str]:
    """Return a warning for each benchmark some of whose prompts did not fit the context: examples were lost."""
    most = dict[str, tuple[int, int]]()
    for one in scored:
        cut = int(store.manifest(one.scores).provenance.get("prompts_cut", 0))
        most[one.benchmark] = max(most.get(one.benchmark, (0, 0)), (cut, one.scores.num_rows))
    return [
        f"{name}: {cut:,} of {items:,} prompts did not fit the model's context and lost their head"
        for name, (cut, items) in most.items()
        if cut
    ]


def _origin(store: Store, one: ScoredArm) -> Origin:
    scores = store.manifest(one.scores)
    given = {f"input {role}": digest for role, digest in scores.identity.inputs.items() if role != "model"}
    asked = {"stage": scores.identity.stage, "version": scores.identity.version, **given, **scores.identity.config}
    who = f"{one.arm}, seed {one.seed}"
    return Origin(
        asked=asked,
        scored_by=_engines(scores, f"the evaluation of {who}, on {one.benchmark}"),
        trained_by=_engines(store.manifest(one.anneal), f"the anneal of {who}") if one.anneal else {},
        scores=str(store.folder(one.scores)),
        model=str(store.folder(one.anneal)) if one.anneal else "",
    )


def _engines(manifest: Manifest, what: str) -> dict[str, Any]:
    """Return the engines behind an artifact and their versions; none recorded is none that could be compared."""
    if found := manifest.provenance.get("engines"):
        return dict(found)
    raise IntegrityError(f"{what} does not say by which engines it was made", remedy="remove its folder and run again")


def _scores(folder: Path) -> Scores:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["benchmark", "item", "cluster", "correct", "truncated", "bits", "bytes", "prompt"]
    table = pa.concat_tables([pq.read_table(path, columns=names) for path in shards(folder)])
    columns: dict[str, Any] = {name: table.column(name).to_pylist() for name in names[:3] + names[-1:]}
    numbers = {
        name: np.asarray(table.column(name).cast(pa.float64()).to_numpy(), dtype=np.float64)
        for name in ("correct", "truncated", "bits", "bytes")
    }
    return Scores(**columns | numbers)

"""The compare task: the scores of all arms and seeds in, one ``comparison.json`` out.

Where answers were graded again, every one on which the graders disagree lies beside it, under ``disagreements/``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from prefect import task

from tasks.compare.artifact import COMPARISON, DISAGREEMENTS_FOLDER, filter_arms, identity
from tasks.compare.attribution import filter_deltas, without_filters
from tasks.compare.conditioned import Overlaps
from tasks.compare.config import BenchmarkFacts, CompareConfig, ScoredArm
from tasks.compare.graders import Grades, disagreements, regrade
from tasks.compare.overall import with_overall
from tasks.compare.pairing import Key, Scores, pair
from tasks.compare.provenance import Origin, check_origins
from tasks.compare.verdict import judge
from tasks.core.errors import IntegrityError
from tasks.core.results import Comparison
from tasks.core.rows import DISAGREEMENTS, read_rows, shards, write_rows
from tasks.core.store import ArtifactRef, Draft, Manifest, Store

#: Where an artifact of overlaps has its table of EXPOSURES.
_EXPOSURES_FOLDER = "items"


@task(name="compare", task_run_name="compare with {control}")
def compare_arms(
    scored: Sequence[ScoredArm],
    benchmarks: Sequence[BenchmarkFacts],
    control: str,
    config: CompareConfig,
    store_root: Path,
    overlaps: Mapping[str, ArtifactRef] | None = None,
) -> ArtifactRef:
    """Publish the deltas, intervals and verdicts of a study as ``comparison.json`` (`core.results.Comparison`).

    Args:
        scored: every (arm, seed, benchmark), in any order, the control's among them.
        benchmarks: the domain and metric of each benchmark.
        control: the control arm's name.
        overlaps: by candidate, what its rows share with the benchmarks' items; left out where nobody looked.

    Raises:
        IntegrityError: if two arms were not asked the same questions by the same engines; it names what to run again.
        StudyError: if no primary benchmark is among those scored.
    """
    store = Store(store_root)
    check_origins({_key(one): _origin(store, one) for one in scored}, control)

    def build(draft: Draft) -> None:
        tables = {_key(one): _scores(store.folder(one.scores)) for one in scored}
        lacking = filter_arms(scored)
        pairs = pair(
            {key: table for key, table in tables.items() if key[0] not in {one.arm for one in lacking}}, control
        )
        again = {_key(one): _grades(store, one.grades) for one in scored if one.grades and not one.lacks}
        regraded = regrade(pairs, again)
        matched = {candidate: _overlaps(store.folder(ref)) for candidate, ref in (overlaps or {}).items()}
        comparison = with_overall(judge(pairs, benchmarks, config, regraded=regraded, overlaps=matched), pairs)
        filters = filter_deltas(pair(tables, control), lacking, config.confidence) if lacking else ()
        bare = without_filters([one.name for one in comparison.candidates], lacking)
        warnings = (*comparison.warnings, *_cut_prompts(store, scored), *bare)
        comparison = comparison.model_copy(update={"warnings": warnings, "filters": filters})
        (draft.folder / COMPARISON).write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
        if regraded:
            rows = (one.model_dump() for one in disagreements(regraded))
            write_rows(draft.folder / DISAGREEMENTS_FOLDER, rows, DISAGREEMENTS)
        draft.provenance = {"verdicts": {one.name: one.verdict for one in comparison.candidates}}

    return store.produce(identity(scored, benchmarks, control, config, overlaps), build)


def compare_tables(
    tables: Mapping[Key, Scores],
    benchmarks: Sequence[BenchmarkFacts],
    control: str,
    config: CompareConfig,
    *,
    grades: Mapping[Key, Grades] | None = None,
    overlaps: Mapping[str, Overlaps] | None = None,
) -> Comparison:
    """Return the comparison of tables of scores by (arm, seed, benchmark); pure.

    Args:
        grades: the same answers as another grader takes them, all arms and seeds of a benchmark or none.
        overlaps: by candidate, the overlap of every scored item with its rows.
    """
    pairs = pair(tables, control)
    found = judge(pairs, benchmarks, config, regraded=regrade(pairs, grades or {}), overlaps=overlaps)
    return with_overall(found, pairs)


def _key(one: ScoredArm) -> Key:
    return one.arm, one.seed, one.benchmark


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
        graded_by=_engines(store.manifest(one.grades), f"the second grading of {who}") if one.grades else {},
        scores=str(store.folder(one.scores)),
        model=str(store.folder(one.anneal)) if one.anneal else "",
        grades=str(store.folder(one.grades)) if one.grades else "",
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


def _grades(store: Store, ref: ArtifactRef) -> Grades:
    columns = {name: list[Any]() for name in ("item", "correct", "prediction", "gold", "evidence")}
    for row in read_rows(store.folder(ref), list(columns)):
        for name, values in columns.items():
            values.append(row[name])
    correct = np.asarray([np.nan if value is None else value for value in columns.pop("correct")], dtype=np.float64)
    return Grades(grader=str(store.manifest(ref).provenance["grader"]), correct=correct, **columns)


def _overlaps(folder: Path) -> Overlaps:
    rows = read_rows(folder / _EXPOSURES_FOLDER, ["benchmark", "item", "status", "ratio"])
    return {(r["benchmark"], r["item"]): np.nan if r["status"] == "unchecked" else r["ratio"] for r in rows}

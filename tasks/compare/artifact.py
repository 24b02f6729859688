"""What the compare stage publishes: by which keys, under which names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tasks.compare.config import STAGE_VERSION, BenchmarkFacts, CompareConfig, FilterArm, ScoredArm
from tasks.core.identity import Identity
from tasks.core.results import Comparison
from tasks.core.rows import read_rows
from tasks.core.store import ArtifactRef, Store

COMPARISON = "comparison.json"
DISAGREEMENTS_FOLDER = "disagreements"


def identity(
    scored: Sequence[ScoredArm],
    benchmarks: Sequence[BenchmarkFacts],
    control: str,
    config: CompareConfig,
    overlaps: Mapping[str, ArtifactRef] | None = None,
) -> Identity:
    """Return what a comparison is: its rule, its benchmarks' facts, and every table of scores, grades and overlaps."""
    facts = sorted((fact.model_dump() for fact in benchmarks), key=lambda fact: str(fact["name"]))
    inputs = {f"{one.benchmark}/{one.seed}/{one.arm}": one.scores.digest for one in scored}
    inputs |= {f"grades/{one.benchmark}/{one.seed}/{one.arm}": one.grades.digest for one in scored if one.grades}
    inputs |= {f"overlap/{candidate}": ref.digest for candidate, ref in (overlaps or {}).items()}
    rule = {"rule": config, "benchmarks": facts, "control": control, "filters": filter_arms(scored)}
    return Identity.of("compare", STAGE_VERSION, rule, inputs)


def read_comparison(store: Store, ref: ArtifactRef) -> Comparison:
    """Return what `compare_arms` published."""
    return Comparison.model_validate_json((store.folder(ref) / COMPARISON).read_text(encoding="utf-8"))


def read_disagreements(store: Store, ref: ArtifactRef) -> Iterable[dict[str, Any]]:
    """Yield every answer on which the graders of a comparison disagree (DISAGREEMENTS); none where one graded."""
    return read_rows(store.folder(ref) / DISAGREEMENTS_FOLDER)


def filter_arms(scored: Sequence[ScoredArm]) -> list[FilterArm]:
    """Return the arms that lack a filter, each once, in order of name."""
    return sorted({one.lacks for one in scored if one.lacks}, key=lambda one: one.arm)

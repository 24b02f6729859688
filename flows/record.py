"""What a study leaves behind: every artifact that it rests on, by name, so that it can be shown and traced for ever."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from flows.study import Study
from flows.work import Refs, RunRefs, ScoreRefs, Work
from tasks.core.checkpoint import Checkpoint
from tasks.core.errors import IntegrityError
from tasks.core.identity import Frozen, Identity
from tasks.core.store import ArtifactRef, Draft, Store, write_json

STAGE = "study"
#: Raised whenever the meaning of a study's record changes.
RECORD_VERSION = 3
_FILE = "study.json"


class RunRecord(Frozen):
    """One anneal of a study and what became of it; `scores` by benchmark, and `grades` where they were graded again."""

    arm: str
    seed: int
    plan: ArtifactRef
    model: ArtifactRef
    scores: dict[str, ArtifactRef]
    grades: dict[str, ArtifactRef] = Field(default_factory=dict)


class StudyRecord(Frozen):
    """A finished study: what was asked, and every artifact behind the answer.

    Attributes:
        items: the benchmarks' items as texts; `overlaps` what each candidate's rows share with them.
    """

    study: Study
    study_hash: str
    base: Checkpoint
    machine: str
    records: dict[str, ArtifactRef]
    packs: dict[str, ArtifactRef]
    runs: tuple[RunRecord, ...]
    comparison: ArtifactRef
    items: ArtifactRef | None = None
    overlaps: dict[str, ArtifactRef] = Field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """What a study made, in the order in which it did; see `StudyRecord`."""

    records: Refs
    packs: Refs
    items: ArtifactRef
    overlaps: Refs
    plans: RunRefs
    models: RunRefs
    scores: ScoreRefs
    grades: ScoreRefs
    comparison: ArtifactRef


class Latest(Frozen):
    """Where the newest record and report of a study's name are."""

    record: ArtifactRef
    report: ArtifactRef


def record_study(work: Work, made: Made) -> ArtifactRef:
    """Publish the record of a finished study."""
    runs = tuple(
        RunRecord(
            arm=run.arm,
            seed=run.seed,
            plan=made.plans[run],
            model=made.models[run],
            scores={name: ref for (scored, name), ref in made.scores.items() if scored == run},
            grades={name: ref for (graded, name), ref in made.grades.items() if graded == run},
        )
        for run in work.runs
    )
    record = StudyRecord(
        study=work.study,
        study_hash=work.study_hash(),
        base=work.base,
        machine=machine(),
        records=dict(made.records),
        packs=dict(made.packs),
        runs=runs,
        comparison=made.comparison,
        items=made.items,
        overlaps=dict(made.overlaps),
    )
    inputs = {"comparison": made.comparison.digest, "items": made.items.digest}
    inputs |= {f"plan/{run.name}": plan.digest for run, plan in made.plans.items()}
    inputs |= {f"overlap/{name}": ref.digest for name, ref in made.overlaps.items()}
    identity = Identity.of(STAGE, RECORD_VERSION, {"name": work.study.name, "hash": record.study_hash}, inputs)

    def build(draft: Draft) -> None:
        (draft.folder / _FILE).write_text(record.model_dump_json(indent=1), encoding="utf-8")
        draft.sources = {"comparison": made.comparison.path}

    return work.store.produce(identity, build)


def read_record(store: Store, ref: ArtifactRef) -> StudyRecord:
    """Return a published record.

    Raises:
        IntegrityError: if another version of Assay wrote it, with fields that this one does not know.
    """
    folder = store.folder(ref)
    try:
        return StudyRecord.model_validate_json((folder / _FILE).read_bytes())
    except ValidationError as error:
        raise IntegrityError(
            f"{folder} is the record of a study as another version of Assay declared it ({error.error_count()} fields "
            "differ)",
            remedy="run the study again with this version: what has not changed is not done again",
        ) from error


def point_to_latest(store: Store, name: str, record: ArtifactRef, report: ArtifactRef) -> None:
    """Make a study's name mean this record and report from now on."""
    path = _pointer(store, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, Latest(record=record, report=report).model_dump())


def latest(store: Store, name: str) -> Latest:
    """Return the newest record and report of a study.

    Raises:
        IntegrityError: if no study of that name was finished in this store.
    """
    path = _pointer(store, name)
    if not path.exists():
        known = ", ".join(names(store)) or "none"
        raise IntegrityError(
            f"no study {name!r} was finished in {store.root}; finished: {known}",
            remedy="run it with `assay run`, or name its store with --store",
        )
    try:
        return Latest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise IntegrityError(f"{path} is damaged", remedy=f"remove it and run the study {name!r} again") from error


def names(store: Store) -> list[str]:
    """Return the names of the studies that were finished in a store."""
    return sorted(path.stem for path in (store.root / ".studies").glob("*.json"))


def machine() -> str:
    """Return this machine in a few words: system, processor, cores and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = os.cpu_count() or 1
    return f"{platform.system()} {platform.machine()}, {_processor()}, {cores} cores, {memory:.0f} GiB"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names_ = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names_[0] if names_ else platform.processor() or "unknown processor"


def _pointer(store: Store, name: str) -> Path:
    return store.root / ".studies" / f"{name}.json"

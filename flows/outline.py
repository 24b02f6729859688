"""What running a study would do: its steps, which of them the store has, and what the rest costs. Starts nothing."""

from __future__ import annotations

from typing import Literal

from flows.recipes import TaughtRecipe
from flows.study import CONTROL, Source
from flows.work import Run, Work
from tasks.anneal.config import identity as anneal_identity
from tasks.compare.artifact import identity as compare_identity
from tasks.compare.attribution import without_filters
from tasks.core.errors import StudyError
from tasks.core.identity import Frozen, Identity
from tasks.core.store import ArtifactRef
from tasks.judge.regrade import regrade_identity

_Scores = dict[tuple[Run, str], ArtifactRef | None]
#: waiting: its inputs are not there yet, so whether it is cached cannot be known; it counts as work to do.
State = Literal["cached", "to run", "waiting"]


class Step(Frozen):
    """One artifact of a study: what it is made from, and whether the store has it."""

    stage: str
    name: str
    needs: tuple[str, ...]
    state: State


class Outline(Frozen):
    """A study's steps in order, and the cost of those that are not cached.

    `anneals` and `tokens` are those still to train; `evaluations` the (model, benchmark) pairs still to score.
    """

    study: str
    study_hash: str
    steps: tuple[Step, ...]
    anneals: int
    tokens: int
    evaluations: int
    total_anneals: int
    total_tokens: int
    warnings: tuple[str, ...]


class _Walk:
    """Looks a study's artifacts up in order; what needs a missing one waits."""

    def __init__(self, work: Work) -> None:
        self.work, self.steps = work, list[Step]()

    def look(self, stage: str, name: str, needs: tuple[str, ...], identity: Identity | None) -> ArtifactRef | None:
        found = self.work.store.find(identity) if identity else None
        state: State = "cached" if found else "to run" if identity else "waiting"
        self.steps.append(Step(stage=stage, name=name, needs=needs, state=state))
        return found


def outline(work: Work) -> Outline:
    """Return what running the study would do."""
    walk = _Walk(work)
    packs = _packs(walk)
    overlaps = _overlaps(walk)
    models = {run: _model(walk, run, packs) for run in work.runs}
    scores = _scores(walk, models)
    grades = _grades(walk, scores)
    _comparison(walk, models, scores, grades, overlaps)
    return _summed(work, walk.steps, _warnings(work, packs))


def _packs(walk: _Walk) -> dict[str, ArtifactRef | None]:
    work, packs = walk.work, dict[str, ArtifactRef | None]()
    found = {one.name: walk.look(_stage(one), one.name, (), work.records_identity(one)) for one in work.study.sources}
    for source in work.study.sources:
        records = found[source.name]
        identity = work.pack_identity(records) if records else None
        packs[source.name] = walk.look("pack", source.name, (f"{_stage(source)} {source.name}",), identity)
    return packs


def _stage(source: Source) -> str:
    """Return the stage that makes a source's records."""
    return "recipe" if isinstance(source.recipe, TaughtRecipe) else "rules" if source.recipe else "ingest"


def _model(walk: _Walk, run: Run, packs: dict[str, ArtifactRef | None]) -> ArtifactRef | None:
    work = walk.work
    names = [source.name for source in work.study.validated] + ([run.arm] if run.arm != CONTROL else [])
    own = {name: pack for name in names if (pack := packs[name])}
    ready = len(own) == len(names)
    plan = walk.look(
        "plan", run.name, tuple(f"pack {name}" for name in names), work.plan_identity(run, own) if ready else None
    )
    identity = anneal_identity(work.anneal_job(run, own, plan)) if plan else None
    return walk.look("anneal", run.name, (f"plan {run.name}",), identity)


def _scores(walk: _Walk, models: dict[Run, ArtifactRef | None]) -> _Scores:
    work = walk.work
    jobs = work.evaluate_jobs({run: model for run, model in models.items() if model})
    scores = {}
    for run in models:
        for benchmark in work.study.benchmarks:
            key = (run, benchmark.name)
            identity = work.score_identity(jobs[key]) if key in jobs else None
            name = f"{run.name} on {benchmark.name}"
            scores[key] = walk.look("evaluate", name, (f"anneal {run.name}",), identity)
    return scores


def _overlaps(walk: _Walk) -> dict[str, ArtifactRef | None]:
    work = walk.work
    items = walk.look("items", work.study.name, (), work.items_identity())
    overlaps = dict[str, ArtifactRef | None]()
    for source in work.study.candidates:
        records = work.store.find(work.records_identity(source))
        identity = work.overlap_identity(records, items) if records and items else None
        needs = (f"{_stage(source)} {source.name}", f"items {work.study.name}")
        overlaps[source.name] = walk.look("overlap", source.name, needs, identity)
    return overlaps


def _grades(walk: _Walk, scores: _Scores) -> _Scores:
    """Look up what is graded again: known by name before it is scored."""
    found = walk.work.regrade_jobs({key: ref for key, ref in scores.items() if ref})
    grades = {}
    for run, benchmark in scores:
        if benchmark in walk.work.regraded:
            name, job = f"{run.name} on {benchmark}", found.get((run, benchmark))
            identity = regrade_identity(job) if job else None
            grades[run, benchmark] = walk.look("regrade", name, (f"evaluate {name}",), identity)
    return grades


def _comparison(
    walk: _Walk,
    models: dict[Run, ArtifactRef | None],
    scores: _Scores,
    grades: _Scores,
    overlaps: dict[str, ArtifactRef | None],
) -> None:
    work, identity = walk.work, None
    done = {run: ref for run, ref in models.items() if ref}
    scored, graded = ({key: ref for key, ref in refs.items() if ref} for refs in (scores, grades))
    matched = {name: ref for name, ref in overlaps.items() if ref}
    if (len(done), len(scored), len(graded), len(matched)) == (len(models), len(scores), len(grades), len(overlaps)):
        identity = compare_identity(*work.comparison(done, scored, graded), matched)
    needs = [f"evaluate {run.name} on {benchmark}" for run, benchmark in scores]
    needs += [f"regrade {run.name} on {benchmark}" for run, benchmark in grades]
    needs += [f"overlap {name}" for name in overlaps]
    walk.look("compare", work.study.name, tuple(needs), identity)


def _summed(work: Work, steps: list[Step], warnings: tuple[str, ...]) -> Outline:
    to_do = [step.stage for step in steps if step.state != "cached"]
    budget = work.study.sequences * work.study.anneal.sequence_length
    return Outline(
        study=work.study.name,
        study_hash=work.study_hash(),
        steps=tuple(steps),
        anneals=to_do.count("anneal"),
        tokens=to_do.count("anneal") * budget,
        evaluations=to_do.count("evaluate"),
        total_anneals=len(work.runs),
        total_tokens=len(work.runs) * budget,
        warnings=warnings,
    )


def _warnings(work: Work, packs: dict[str, ArtifactRef | None]) -> tuple[str, ...]:
    study = work.study
    bare = without_filters([one.name for one in study.candidates], [one.lacks for one in study.leave_one_out])
    return (*_repeats(work, packs), *bare)


def _repeats(work: Work, packs: dict[str, ArtifactRef | None]) -> tuple[str, ...]:
    held = {name: pack for name, pack in packs.items() if pack}
    unknown = ", ".join(work.unsized(held))
    told = [f"how often these would be repeated is known once they are packed: {unknown}"] if unknown else []
    try:
        work.check_repeats(held)
    except StudyError as error:
        told.append(str(error))
    return tuple(told)

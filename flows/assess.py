"""The main path: does each candidate make the base model better than equally many tokens of validated data?

Records -> packs -> overlap with the benchmarks -> a plan an arm and seed -> anneals -> scores -> grades by another
grader -> deltas and verdicts -> the report and the tracker.
Every step is a task with an explicit key: what the store has is not done again, and a step that was cut off goes on.
"""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.caching import cached
from flows.device import device
from flows.evaluating import evaluate_arms
from flows.findings import report_data, tracked_study
from flows.ingesting import read_records
from flows.insights import insights
from flows.make import find_or_make
from flows.overlaps import find_overlaps, list_items
from flows.planning import check_worth
from flows.progress import AnnealProgress, CountProgress, say
from flows.recipes import TaughtRecipe
from flows.record import Made, point_to_latest, read_record, record_study
from flows.regrading import regrade_arms
from flows.study import Runtime, Source, Study
from flows.work import Refs, Run, RunRefs, ScoreRefs, Work, prepare
from tasks.anneal.config import identity as anneal_identity
from tasks.anneal.task import anneal_arms, release
from tasks.checkpoint.resolve import fetch_weights
from tasks.compare.artifact import identity as compare_identity
from tasks.compare.task import compare_arms
from tasks.core.store import ArtifactRef
from tasks.mix.task import pack_source, plan_arm
from tasks.report.artifact import identity as report_identity
from tasks.report.task import write_report
from tasks.track.task import track_study


@flow(name="assess", flow_run_name="{study.name}")
def assess(study: Study, runtime: Runtime = Runtime()) -> Path:  # noqa: B008 - frozen, so it may be shared
    """Carry out a study and return the folder of its report."""
    work = prepare(study, runtime)
    check_worth(work)
    fetch_weights(study.base)
    records, packs = gather(work)
    items = list_items(work)
    overlaps = find_overlaps(work, records, items)
    plans = {run: _plan(work, run, packs) for run in work.runs}
    models = _anneal(work, packs, plans)
    scores = evaluate_arms(work, models, records.values())
    grades = regrade_arms(work, scores)
    comparison = _compare(work, models, scores, grades, overlaps)
    made = Made(records, packs, items, overlaps, plans, models, scores, grades, comparison)
    return _conclude(work, record_study(work, made))


def gather(work: Work) -> tuple[Refs, Refs]:
    """Return each source's records and each source's pack, in the study's order.

    What a model makes is made last, and each pack is checked as it comes: nobody pays a teacher for a study in which
    another candidate is too small.

    Raises:
        StudyError: if a candidate would be repeated more often than the study allows.
    """
    records, packs, sources = dict[str, ArtifactRef](), dict[str, ArtifactRef](), work.study.sources
    for source in sorted(sources, key=lambda source: isinstance(source.recipe, TaughtRecipe)):
        records[source.name] = _records(work, source, tuple(records.values()))
        packs[source.name] = _pack(work, source.name, records[source.name])
        work.check_repeats(packs)
    return {one.name: records[one.name] for one in sources}, {one.name: packs[one.name] for one in sources}


def _conclude(work: Work, ref: ArtifactRef) -> Path:
    """Write the report, make it the study's latest, and tell the tracker.

    Raises:
        Exception: what failed first of the report's insights, once the report has the reason of each.
    """
    store, record = work.store, read_record(work.store, ref)
    seen = insights(work, record)
    data = report_data(store, record, seen)
    report = cached(write_report, store, [report_identity(data)])(data, store.root)
    point_to_latest(store, work.study.name, ref, report)
    outcome = track_study(tracked_study(store, record, report, data), work.runtime.track, store.root)
    if outcome.warning:
        say("track", outcome.warning)
    if seen.failed:
        for what in seen.failed:
            say("report", f"{store.folder(report) / 'report.html'} has the verdicts, and not {what}")
        raise next(iter(seen.failed.values()))
    return store.folder(report)


def _records(work: Work, source: Source, beside: tuple[ArtifactRef, ...]) -> ArtifactRef:
    if isinstance(source.recipe, TaughtRecipe):
        return find_or_make(work.order(source.name, source.recipe), work.runtime, beside)
    return read_records(source, work.store)


def _pack(work: Work, name: str, records: ArtifactRef) -> ArtifactRef:
    pack = cached(pack_source, work.store, [work.pack_identity(records)])
    with CountProgress("pack", name, records.num_rows) as progress:
        return pack(name, work.study.pack, records, work.base, work.store.root, report=progress)


def _plan(work: Work, run: Run, packs: Refs) -> ArtifactRef:
    plan = cached(plan_arm, work.store, [work.plan_identity(run, packs)])
    return plan(run.arm, work.study.plan(run.arm, run.seed), work.packs_of(run, packs), work.store.root)


def _anneal(work: Work, packs: Refs, plans: RunRefs) -> RunRefs:
    jobs = {run: work.anneal_job(run, packs, plan) for run, plan in plans.items()}
    identities = [anneal_identity(job) for job in jobs.values()]
    anneal = cached(anneal_arms, work.store, identities)
    with AnnealProgress(len(jobs)) as progress, device(work.store, identities):
        models = anneal(list(jobs.values()), work.runtime.anneal, work.store.root, report=progress)
        release()  # the cores are the evaluation's now
    return {run: models[run.name] for run in jobs}


def _compare(work: Work, models: RunRefs, scores: ScoreRefs, grades: ScoreRefs, overlaps: Refs) -> ArtifactRef:
    asked = work.comparison(models, scores, grades)
    compare = cached(compare_arms, work.store, [compare_identity(*asked, overlaps)])
    return compare(*asked, work.store.root, overlaps)

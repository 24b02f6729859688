"""The answers to a study's mathematics, graded a second time: a verdict that turns on the grader is no verdict."""

from __future__ import annotations

from flows.caching import cached
from flows.progress import Meter
from flows.work import ScoreRefs, Work
from tasks.judge.regrade import regrade_identity
from tasks.judge.task import Progress, regrade_scores


class RegradeProgress(Meter):
    """The tables of scores that are graded again; takes the stage's progress reports."""

    stage = "regrade"

    def __call__(self, state: Progress) -> None:
        self.done = self._worked = state.done
        self.pulse(f"{state.rows_per_second:,.0f} answers a second")


def regrade_arms(work: Work, scores: ScoreRefs) -> ScoreRefs:
    """Return what the second grader says of every model on every benchmark that it can grade."""
    jobs = work.regrade_jobs(scores)
    if not jobs:
        return {}
    regrade = cached(regrade_scores, work.store, [regrade_identity(job) for job in jobs.values()])
    with RegradeProgress(len(jobs)) as progress:
        workers = work.runtime.judge.processes
        grades = regrade(list(jobs.values()), work.store.root, workers=workers, report=progress)
    return dict(zip(jobs, grades, strict=True))

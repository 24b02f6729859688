"""What each candidate's rows share with the study's benchmark items. Nothing is dropped: the comparison is told."""

from __future__ import annotations

from flows.caching import cached
from flows.progress import CountProgress, ItemsProgress, say
from flows.work import Refs, Work
from tasks.core.store import ArtifactRef
from tasks.decontaminate.task import report_overlaps
from tasks.evaluate.task import benchmark_items


def list_items(work: Work) -> ArtifactRef:
    """Return the items of the study's benchmarks as texts (ITEMS)."""
    asked = (work.study.benchmarks, work.study.evaluate, work.runtime.evaluate)
    with ItemsProgress(work.study.benchmarks) as progress:
        return cached(benchmark_items, work.store, [work.items_identity()])(*asked, work.store.root, report=progress)


def find_overlaps(work: Work, records: Refs, items: ArtifactRef) -> Refs:
    """Return, by candidate, what its rows share with the items; say where they hold much of one.

    It is known before anything is trained, so whoever does not want to pay for it can stop here.
    """
    overlaps = {}
    for name in (candidate.name for candidate in work.study.candidates):
        identity = work.overlap_identity(records[name], items)
        known = work.store.find(identity) is not None
        find = cached(report_overlaps, work.store, [identity])
        with CountProgress("overlap", name, records[name].num_rows) as progress:
            overlaps[name] = find(name, work.overlap, records[name], items, work.store.root, report=progress)
        if not known:
            _tell(work, name, overlaps[name])
    return overlaps


def _tell(work: Work, name: str, ref: ArtifactRef) -> None:
    for benchmark, statuses in work.store.manifest(ref).provenance["items"].items():
        if matched := statuses.get("contaminated", 0):
            share = f"{100 * work.overlap.ratio:.0f} % or more of {matched:,} of {sum(statuses.values()):,} items"
            say("overlap", f"[yellow]{name}: its rows hold {share} of {benchmark}[/]")

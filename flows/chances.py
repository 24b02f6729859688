"""What a study can show: its benchmarks counted, the training noise it must reckon with, and the power that follows.

The noise is that of earlier studies of the same base model in the store; where they say too little, or there are none,
what the study declares; else a default, called so. `tasks.compare.power` does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from flows.record import StudyRecord, read_record
from flows.study import CONTROL
from flows.work import Work
from tasks.compare.config import BenchmarkFacts, CompareConfig
from tasks.compare.helping import helps_plan
from tasks.compare.power import ITEM_SHARE, SeedScores, plan, planned, training_noise
from tasks.core.errors import IntegrityError
from tasks.core.results import HelpsPlan, PlannedBenchmark, PowerPlan, TrainingNoise
from tasks.core.store import Store
from tasks.evaluate.config import BenchmarkConfig
from tasks.evaluate.custom import read_custom
from tasks.evaluate.registry import REGISTRY
from tasks.evaluate.suite import domain_of, metric_of

#: Passages of DROP's development set (Dua et al. 2019, arXiv:1903.00161, table 1).
_PASSAGES = {"drop": 582}
EARLIER = "earlier studies of this base model in the store"


@dataclass(frozen=True)
class Items:
    """How many items a benchmark of a study has, and in how many clusters; None where each item stands alone."""

    count: int
    clusters: int | None


def power_of(work: Work, earlier: Sequence[SeedScores], item_share: float) -> PowerPlan:
    """Return what a study can show.

    Args:
        earlier: scores of earlier studies; see `earlier_scores`.
        item_share: the share of the study's cost that grows with its items, 0 to 1.
    """
    config = work.study.compare
    return plan(
        _benchmarks(work, earlier),
        seeds=_seeds(work),
        candidates=len(work.study.candidates),
        noise=training_noise(earlier, declared_noise(config), source=EARLIER),
        config=config,
        item_share=item_share,
    )


def declared_power_of(work: Work) -> PowerPlan:
    """Return what a study can show as its file alone has it; the source of its noise says so."""
    power = power_of(work, (), ITEM_SHARE)
    source = f"{power.noise.source}; earlier studies of the store, which assay plan counts in, are left aside"
    return power.model_copy(update={"noise": power.noise.model_copy(update={"source": source})})


def helps_of(work: Work, earlier: Sequence[SeedScores], power: PowerPlan) -> HelpsPlan | None:
    """Return how likely a study says "helps", its guards counted; apart from `power_of`, since it takes seconds."""
    return helps_plan(_benchmarks(work, earlier), power, work.study.compare)


def _seeds(work: Work) -> int:
    """Return how many seeds a study is planned with: a look at some is judged as the whole that it belongs to."""
    return work.study.compare.planned_seeds(len(work.study.seeds))


def _benchmarks(work: Work, earlier: Sequence[SeedScores]) -> list[PlannedBenchmark]:
    return [_planned(one, earlier, _seeds(work), work.study.compare) for one in work.study.benchmarks]


def _planned(
    benchmark: BenchmarkConfig, earlier: Sequence[SeedScores], seeds: int, config: CompareConfig
) -> PlannedBenchmark:
    items = items_of(benchmark)
    known = [one for one in earlier if one.benchmark == benchmark.name]
    declared = "planned_item_sd" in config.model_fields_set
    return planned(
        BenchmarkFacts(name=benchmark.name, domain=domain_of(benchmark), metric=metric_of(benchmark)),
        items.count,
        seeds,
        config,
        n_clusters=items.clusters,
        accuracy=_control_accuracy(known[-1]) if known and not declared else None,
    )


def declared_noise(config: CompareConfig) -> TrainingNoise:
    """Return the noise that a study declares, or the default, called so."""
    declared = "planned_training_noise" in config.model_fields_set
    return TrainingNoise(points=config.planned_training_noise, source="the study" if declared else "default")


def items_of(benchmark: BenchmarkConfig) -> Items:
    """Return how many items a benchmark has: its file's are counted, the registry's are known."""
    if benchmark.custom:
        rows = read_custom(benchmark).rows[: benchmark.limit]
        clusters = len({row["cluster"] for row in rows}) if benchmark.cluster else None
        return Items(max(2, len(rows)), clusters if clusters and clusters > 1 else None)
    known = REGISTRY[benchmark.name]
    share = len(benchmark.subsets) / len(known.subsets) if benchmark.subsets else 1.0  # as if all were of one size
    count = round(known.items[0] * share)
    count = min(count, benchmark.limit or count)
    subsets = len(benchmark.subsets or known.subsets)
    clusters = subsets if known.cluster == "subset" else _PASSAGES.get(benchmark.name)
    return Items(max(2, count), min(clusters, count) if clusters and clusters > 1 else None)


def earlier_scores(work: Work) -> tuple[list[SeedScores], tuple[str, ...]]:
    """Return the scores of the store's earlier studies that trained the same base model in the same way, a table a
    benchmark, and what a reader should know: which could not be read, and looks that this study has had.

    The study's own earlier records are among them: it may have been run before with fewer seeds. A record all of whose
    models another one has, such as an earlier look's, says nothing more.
    """
    tables, warnings, records, seen = list[SeedScores](), list[str](), list[StudyRecord](), set[str]()
    for ref, _ in work.store.manifests("study"):
        try:
            records.append(read_record(work.store, ref))
        except IntegrityError as error:
            warnings.append(f"an earlier study says nothing of the training noise: {error.message}")
    for record in sorted((one for one in records if _trains_alike(work, one)), key=lambda one: -len(one.runs)):
        models = {run.model.path for run in record.runs}
        if not models <= seen:
            tables += _tables(work.store, record)
            seen |= models
    return tables, (*warnings, *_looks(work, records))


def _looks(work: Work, records: Sequence[StudyRecord]) -> Iterator[str]:
    """Yield what is said of this study's having been looked at with some of its seeds, where no looks are declared."""
    for record in records if work.study.compare.looks is None else ():
        seeds = record.study.seeds
        if record.study.name == work.study.name and set(seeds) < set(work.study.seeds):
            look = replace(work, study=work.study.model_copy(update={"seeds": seeds}))
            if look.study_hash() == record.study_hash:
                yield (
                    f"this study was looked at with {len(seeds)} of its {len(work.study.seeds)} seeds, and declares no "
                    "`compare.looks`: to go on or stop by what was seen makes false gains likelier than it says"
                )


def _trains_alike(work: Work, record: StudyRecord) -> bool:
    ours, theirs = work.study, record.study
    return record.base.digest == work.base.digest and (ours.anneal, ours.tokens) == (theirs.anneal, theirs.tokens)


def _tables(store: Store, record: StudyRecord) -> Iterator[SeedScores]:
    runs = {(run.arm, run.seed): run for run in record.runs}
    seeds = sorted({run.seed for run in record.runs})
    if len(seeds) < 2:
        return
    for benchmark in record.study.benchmarks:
        refs = {key: run.scores[benchmark.name] for key, run in runs.items()}
        points = {key: float(store.manifest(ref).provenance["accuracy"]) for key, ref in refs.items()}
        table = [[points[arm, seed] for seed in seeds] for arm in record.study.arms]
        yield SeedScores(benchmark.name, refs[CONTROL, seeds[0]].num_rows, table)


def _control_accuracy(scores: SeedScores) -> float:
    return sum(scores.accuracy[0]) / len(scores.accuracy[0]) / 100

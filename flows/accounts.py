"""What a finished study rests on and took, as rows of its report: setting, sources, drops, funnels, costs, digests.

Nothing is measured here: every number comes from a manifest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from flows.funnel import Step, funnel
from flows.orders import STAGE as RECIPE_STAGE
from flows.recipes import TaughtRecipe
from flows.record import RunRecord, StudyRecord
from flows.retention import Judging, judgings
from tasks.core.store import ArtifactRef, Store
from tasks.mix.artifact import SHARES_FILE
from tasks.mix.config import SourceShare
from tasks.report.config import Dropped, Funnel, FunnelStep, Judged, JudgedGroup, Named, SourceUse, StageCost

_STAGES = (
    "ingest", "rules", "recipe", "pack", "items", "overlap", "plan", "anneal", "evaluate", "regrade", "compare",
)  # fmt: skip


def setting(record: StudyRecord) -> list[tuple[str, str]]:
    """Return the facts of a study worth a line each."""
    study, anneal = record.study, record.study.anneal
    base = study.base.path or f"{study.base.hub}@{study.base.revision}"
    return [
        ("base model", base),
        ("stage", study.stage),
        ("candidate weight", f"{100 * study.candidate_weight:.0f} % of {study.candidate_unit}"),
        ("budget", f"{study.tokens:,} tokens an anneal, sequences of {anneal.sequence_length}"),
        (
            "optimiser",
            f"AdamW, {anneal.learning_rate:g} {anneal.schedule}, batch {anneal.global_batch}, {anneal.dtype}",
        ),
        ("seeds", ", ".join(map(str, study.seeds))),
    ]


def shares(store: Store, run: RunRecord) -> list[SourceShare]:
    """Return what a run's arm took from each source."""
    rows = json.loads((store.folder(run.plan) / SHARES_FILE).read_text(encoding="utf-8"))
    return [SourceShare.model_validate(row) for row in rows]


def uses(store: Store, record: StudyRecord) -> Iterable[SourceUse]:
    """Yield what each arm was trained on; the first seed speaks for all, since shares are the same in each."""
    for run in record.runs:
        if run.seed == record.study.seeds[0]:
            for share in shares(store, run):
                yield SourceUse(
                    arm=run.arm,
                    source=share.source,
                    sample_share=share.sample_share,
                    token_share=share.token_share,
                    supervised_share=share.supervised_token_share,
                    epochs=share.epochs,
                    rows=record.records[share.source].num_rows,
                    tokens=share.tokens,
                )


def drops(store: Store, record: StudyRecord) -> Iterable[Dropped]:
    """Yield what was left out, by source, stage and reason."""
    for stage, refs in (("ingest", record.records), ("pack", record.packs)):
        for source, ref in refs.items():
            for reason, rows in store.manifest(ref).provenance.get("dropped", {}).items():
                yield Dropped(source=source, stage=stage, reason=reason, rows=rows)


def funnels(store: Store, record: StudyRecord) -> Iterable[Funnel]:
    """Yield how each candidate that asked a model was made; the recipe's own artifact only takes its last step over."""
    for candidate in record.study.candidates:
        if isinstance(candidate.recipe, TaughtRecipe):
            made = record.records[candidate.name]
            steps = [_funnel_step(one) for one in funnel(store, made) if one.stage != RECIPE_STAGE]
            judged = map(_judged, judgings(store, made))
            yield Funnel(candidate=candidate.name, steps=tuple(steps), judged=tuple(judged))


def _funnel_step(step: Step) -> FunnelStep:
    return FunnelStep(
        stage=step.stage,
        rows=step.rows,
        dropped=step.dropped,
        reasons=", ".join(f"{reason} {count:,}" for reason, count in step.reasons.items() if count),
        tokens=step.tokens,
        seconds=step.seconds,
        cost=step.cost,
    )


def _judged(judging: Judging) -> Judged:
    groups = [JudgedGroup(group=name, **found.model_dump()) for name, found in judging.groups().items()]
    return Judged(step=judging.step, groups=tuple(groups), notes=tuple(judging.said()))


def _artifacts(record: StudyRecord) -> list[ArtifactRef]:
    runs = [ref for run in record.runs for ref in (run.plan, run.model, *run.scores.values(), *run.grades.values())]
    matched = [*filter(None, [record.items]), *record.overlaps.values()]
    found = (*record.records.values(), *record.packs.values(), *matched, *runs, record.comparison)
    return list({ref.path: ref for ref in found}.values())


def costs(store: Store, record: StudyRecord) -> Iterable[StageCost]:
    """Yield what each stage took."""
    count, tokens, seconds = Counter[str](), Counter[str](), dict[str, float]()
    for ref in _artifacts(record):
        manifest = store.manifest(ref)
        stage = manifest.identity.stage
        count[stage] += 1
        seconds[stage] = seconds.get(stage, 0.0) + manifest.seconds
        tokens[stage] += int(manifest.provenance.get("tokens", 0))
    for stage in _STAGES:
        if count[stage]:
            yield StageCost(
                stage=stage, artifacts=count[stage], seconds=round(seconds[stage], 1), tokens=tokens[stage] or None
            )


def engines(store: Store, record: StudyRecord) -> dict[str, str]:
    """Return the version of each engine that had a part."""
    found: dict[str, str] = {}
    for ref in _artifacts(record):
        found |= {name: str(value) for name, value in store.manifest(ref).provenance.get("engines", {}).items()}
    return found


def digests(record: StudyRecord) -> Iterable[Named]:
    """Yield the digests worth naming."""
    yield Named(name="base model", value=record.base.digest)
    yield Named(name="tokenizer", value=record.base.tokenizer)
    yield Named(name="chat template", value=record.base.template)
    for name, ref in record.records.items():
        yield Named(name=f"records of {name}", value=ref.digest)
    yield Named(name="comparison", value=record.comparison.digest)


def trained_tokens(store: Store, run: RunRecord) -> int:
    """Return how many tokens a run trained on."""
    return int(store.manifest(run.model).provenance["tokens"])

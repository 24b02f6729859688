from __future__ import annotations

import pytest

from tasks.core.cards import ExposedItems, ValidatedCard, ValidatedSource
from tasks.core.costs import CostPerPoint, PerPoint, Spent
from tasks.core.ledgers import ChangeCount, ChangedItem, FixedShare, Ledger, OddsRatio, Targeted
from tasks.core.results import (
    BenchmarkPower,
    CandidateResult,
    Comparison,
    ConditionedDelta,
    Delta,
    Disagreement,
    DomainDelta,
    EffectChance,
    FilterDelta,
    GradedDelta,
    Needed,
    OverallDelta,
    PowerPlan,
    TrainingNoise,
)  # fmt: skip
from tasks.report.config import (
    Dropped,
    Funnel,
    FunnelStep,
    Judged,
    JudgedGroup,
    Named,
    ReportData,
    SourceUse,
    StageCost,
)  # fmt: skip


def delta(benchmark: str, mean: float, half: float, **changes: object) -> Delta:
    values: dict[str, object] = {
        "benchmark": benchmark, "domain": "math", "metric": "accuracy", "role": "primary", "delta": mean,
        "low": mean - half, "high": mean + half, "standard_error": half / 2.4, "degrees_of_freedom": 9.5,
        "p_up": 0.5, "p_down": 0.5, "n_items": 400, "n_seeds": 3, "n_clusters": 400, "control": 17.6,
        "candidate": 17.6 + mean, "margin": None, "smallest_effect": 1.25 * half, "truncated_control": 0.4,
        "truncated_candidate": 0.6, "bits_per_byte_control": 1.204, "bits_per_byte_candidate": 1.101, "finding": None,
    }  # fmt: skip
    return Delta.model_validate(values | changes)


def few(items: int) -> dict[str, int]:
    return {"n_items": items, "n_clusters": items}


def candidate(name: str, verdict: str, sentence: str, means: tuple[float, ...], finding: str | None) -> CandidateResult:
    guard = {"domain": "knowledge", "role": "guard", "margin": 2.0, "bits_per_byte_control": None}
    return CandidateResult(
        name=name,
        verdict=verdict,
        sentence=sentence,
        deltas=(
            delta("steps-2-3", means[0], 2.7, finding=finding),
            delta("gsm8k-short", means[1], 3.4, **few(1319)),
            delta("mmlu", means[2], 1.2, n_items=14042, n_clusters=57, **guard),
            delta("gpqa-diamond", means[3], 6.1, **few(198), **guard | {"role": "alarm", "margin": None}),
            delta("humaneval", means[4], 7.5, **few(164), domain="coding", role="alarm", metric="pass@1"),
        ),
        domains=(
            DomainDelta(
                domain="knowledge", delta=means[2] - 0.1, low=means[2] - 1.3, high=means[2] + 1.1, margin=1.5,
                within_margin=means[2] > -0.2, shown_down=False, n_items=14240, benchmarks=("mmlu", "gpqa-diamond"),
            ),
            DomainDelta(
                domain="coding", delta=means[4], low=means[4] - 7.5, high=means[4] + 7.5, margin=8.0,
                within_margin=True, shown_down=False, n_items=164, benchmarks=("humaneval",),
            ),
        ),
        warnings=("steps-2-3: 4.2 % of the candidate's answers were cut at the output limit, 0.4 % of the control's",)
        if name == "web"
        else (),
    )  # fmt: skip


def looked_at_again(candidate: CandidateResult) -> CandidateResult:
    """Return a candidate graded again, with items matched, and with its gain on the mean of the primaries."""
    graded = GradedDelta(
        benchmark="steps-2-3", grader="Math-Verify", delta=11.9, low=9.1, high=14.7, finding="up", n_disagreements=7,
        n_undecided=2,
    )  # fmt: skip
    disputed = Disagreement(
        arm="worked", seed=2, benchmark="steps-2-3", item="steps-2-3/17-0123456789ab", prediction="4+3=7. #### 7.0",
        gold="7", grader="Math-Verify", scored=0.0, regraded=1.0, evidence="7.0 equals 7",
    )  # fmt: skip
    conditioned = tuple(
        ConditionedDelta(
            benchmark=name, threshold=threshold, delta=mean, low=mean - 2.9, high=mean + 2.9, n_items=items - matched,
            n_matched=matched, n_unchecked=0, matched_delta=18.2 if matched else None, p_matched=0.4, shown_up=up,
        )
        for name, mean, items, up in (("steps-2-3", 12.3, 400, True), ("gsm8k-short", 1.1, 1319, False))
        for threshold, matched in ((0.3, 22 if up else 0), (0.8, 0))
    )  # fmt: skip
    gain = OverallDelta(
        delta=6.8,
        low=4.4,
        high=9.2,
        standard_error=1.1,
        degrees_of_freedom=12.0,
        benchmarks=("steps-2-3", "gsm8k-short"),
    )
    return candidate.model_copy(
        update={"regraded": (graded,), "disagreements": (disputed,), "conditioned": conditioned, "overall": gain}
    )


def changed(change: str, number: int) -> ChangedItem:
    return ChangedItem.model_validate(
        {
            "benchmark": "steps-2-3", "item": f"steps-2-3/{number}-0123456789ab", "topic": "steps-2-3",
            "difficulty": "never" if change == "fixed" else "always", "change": change,
            "control": 0.0 if change == "fixed" else 1.0, "candidate": 1.0 if change == "fixed" else 1 / 3, "seed": 2,
            "question": "Ann has 3 apples. She buys 4 more, and gives 2 away.\nHow many has she?",
            "gold": "3+4=7. 7-2=5. #### 5", "control_output": "3+4=7. #### 7", "candidate_output": "7-2=5. #### 5",
            "overlap": 0.125 if change == "fixed" else None,
            "nearest": [
                {"row_id": "0123456789abcdef0123456789abcdef", "excerpt": "Bob has 3 pears. He buys 4 more. → 3+4=7.",
                 "score": 31.4159, "share": 0.62},
            ] if change == "fixed" else [],
        }
    )  # fmt: skip


def ledgers() -> tuple[Ledger, ...]:
    odds = OddsRatio(estimate=3.1, low=1.9, high=5.0, p_value=1e-5, confidence=0.95)
    targeted = Targeted(
        failures=False, near_from=0.5, near=FixedShare(items=120, fixed=60), apart=FixedShare(items=110, fixed=52),
        held=FixedShare(items=10, fixed=8), far=FixedShare(items=90, fixed=20), near_to_far=odds, apart_to_far=odds,
        held_to_rest=None, conclusion="learned",
        sentence="Learned: items near to its rows were fixed more than items far from them (odds ratio 3.1, 1.9 to 5), "
        "also where no row shares much text with them.",
    )  # fmt: skip
    return (
        Ledger(
            candidate="worked", n_seeds=3, items=1719, fixed=80, broken=12,
            topics=(
                ChangeCount(benchmark="steps-2-3", group="steps-2-3", items=400, fixed=74, broken=4),
                ChangeCount(benchmark="mmlu", group="college_mathematics", items=100, fixed=6, broken=8),
            ),
            levels=(ChangeCount(benchmark="steps-2-3", group="Level 2", items=200, fixed=40, broken=3),),
            difficulties=(
                ChangeCount(benchmark="steps-2-3", group="never", items=300, fixed=60, broken=0),
                ChangeCount(benchmark="steps-2-3", group="sometimes", items=60, fixed=14, broken=0),
                ChangeCount(benchmark="steps-2-3", group="always", items=40, fixed=0, broken=4),
            ),
            shown=(changed("fixed", 1), changed("broken", 2)), targeted=targeted,
        ),
        Ledger(candidate="web", n_seeds=3, items=1719, fixed=0, broken=0, topics=(), difficulties=(), shown=()),
    )  # fmt: skip


def points() -> tuple[CostPerPoint, ...]:
    spent = Spent(gpu_hours=0.0, core_hours=1.5, model_tokens=120_000, trained_tokens=1_200_000, money=0.75)
    return (
        CostPerPoint(
            candidate="worked", gain=6.8, gain_low=4.4, gain_high=9.2, spent=spent,
            units=(
                PerPoint(unit="money", total=0.75, estimate=0.11, low=0.0815, high=0.17),
                PerPoint(unit="tokens trained on", total=1_200_000, estimate=176_470.6, low=130_434.8, high=272_727.3),
            ),
            sentence="Each point has a price: the gain's interval lies above zero.",
        ),
        CostPerPoint(
            candidate="web", gain=0.1, gain_low=-2.2, gain_high=2.4, spent=spent,
            units=(PerPoint(unit="core-hours", total=1.5, estimate=15.0, low=0.625, high=None),),
            sentence="What a point cost has no upper bound, since the gain may be none at all. A point cost 0.625 "
            "core-hours at the least.",
        ),
        CostPerPoint(
            candidate="wrong-solutions", gain=-8.4, gain_low=-10.8, gain_high=-6.0, spent=spent,
            units=(PerPoint(unit="core-hours", total=1.5, estimate=None, low=None, high=None),),
            sentence="No point was gained: the whole interval of the gain lies at or below zero.",
        ),
    )  # fmt: skip


def power() -> PowerPlan:
    def chance(times: float, seen: float) -> EffectChance:
        return EffectChance(
            times=times, noise=times, by_benchmark={"steps-2-3": seen}, any_primary=seen, unharmed=0.9
        )  # fmt: skip

    return PowerPlan(
        seeds=3, candidates=4, noise=TrainingNoise(points=1.0, source="default"), effect={"steps-2-3": 2.0},
        benchmarks=(
            BenchmarkPower(benchmark="steps-2-3", role="primary", n_items=400, standard_error=1.6, smallest_effect=6.1,
                           margin=None, passes=0.97),
            BenchmarkPower(benchmark="mmlu", role="guard", n_items=14042, standard_error=0.6, smallest_effect=1.6,
                           margin=2.0, passes=0.9),
        ),
        chances=(chance(0.5, 0.22), chance(1.0, 0.11), chance(2.0, 0.05)),
        needed=Needed(effect={"steps-2-3": 2.0}, chance=0.8, now=0.11, seeds=None, items_times=9.0, cheapest="items",
                      cost_times=1.4),
    )  # fmt: skip


def card() -> ValidatedCard:
    return ValidatedCard(
        sources=(
            ValidatedSource(
                name="validated-math", origin="recipe igsm", licence=None, weight=0.7, token_share=0.7, rows=12000,
                tokens=1_333_333, epochs=0.21, left_out=0, same=310, near=12, exposed=2,
            ),
            ValidatedSource(
                name="validated-text", origin="text-*.jsonl", licence="CC-BY-4.0", weight=0.3, token_share=0.3,
                rows=900, tokens=352_941, epochs=0.34, left_out=3, same=0, near=0, exposed=0,
            ),
        ),
        exposed=(ExposedItems(benchmark="steps-2-3", checked=398, exposed=2, unchecked=2),),
        duplicates="Near: sets of 5-word shingles with a Jaccard similarity of 0.8 or more",
        overlap="Given away: one row holds 50 % or more of an item's 8-grams of words",
    )  # fmt: skip


@pytest.fixture
def comparison() -> Comparison:
    return Comparison(
        control="control",
        seeds=(1, 2, 3),
        candidates=(
            looked_at_again(candidate(
                "worked", "helps",
                "It makes the model better on steps-2-3 (+12.5 points, +9.8 to +15.2), and nothing else that was "
                "measured is shown to suffer.",
                (12.5, 1.1, 0.2, -0.5, 0.6), "up",
            )),
            candidate(
                "web", "inconclusive",
                "No difference that decides is beyond chance, the largest being steps-2-3 (+0.4 points, −2.3 to +3.1); "
                "an effect below about 3.4 points could not have been seen.",
                (0.4, -0.2, -0.1, 1.0, -1.2), None,
            ).model_copy(update={"more": "Eight seeds would show an effect of 2 points in 4 of 5 studies."}),
            candidate(
                "more-validated", "no effect",
                "Every difference that decides is within 2 points either way, the largest being gsm8k-short "
                "(−0.3 points, −3.7 to +3.1).",
                (0.1, -0.3, 0.0, 0.0, 0.0), None,
            ),
            candidate(
                "wrong-solutions", "hurts",
                "It makes the model worse on steps-2-3 (−14.8 points, −17.5 to −12.1), and nothing that decides got "
                "better.",
                (-14.8, -1.9, -0.4, 0.3, 0.0), "down",
            ),
        ),
        warnings=(),
        filters=(
            FilterDelta(candidate="worked", filter="dedup", benchmark="steps-2-3", delta=0.6, low=-1.9, high=3.1,
                        n_items=400, n_seeds=3),
            FilterDelta(candidate="worked", filter="judge", benchmark="steps-2-3", delta=4.2, low=1.4, high=7.0,
                        n_items=400, n_seeds=3),
        ),
    )  # fmt: skip


def bare_comparison() -> Comparison:
    """Return what is known of results that somebody else made: two scores an item, and no more."""
    plain = {"truncated_control": 0.0, "truncated_candidate": 0.0, "n_seeds": 1, "bits_per_byte_control": None}
    theirs = CandidateResult(
        name="theirs", verdict="inconclusive", sentence="These two checkpoints are not shown to differ.",
        deltas=(delta("gsm8k", 0.8, 2.1, **plain, bits_per_byte_candidate=None, n_items=1319, n_clusters=1319),),
        domains=(), warnings=(),
    )  # fmt: skip
    return Comparison(control="ours", seeds=(0,), candidates=(theirs,), warnings=("one seed: no verdict is given",))


@pytest.fixture
def data(comparison: Comparison) -> ReportData:
    return ReportData(
        study="demo",
        question="Does each of four datasets, at 20 % of the tokens, make a 0.7 M model better at two- and three-step "
        "arithmetic?",
        setting=(
            Named(name="base model", value="tiny Qwen2, 0.71 M parameters"),
            Named(name="stage", value="pretrain"),
            Named(name="candidate weight", value="20 % of tokens"),
            Named(name="token budget", value="400,000"),
        ),
        comparison=comparison,
        sources=(
            SourceUse(
                arm="control", source="validated-math", sample_share=0.82, token_share=0.7, supervised_share=0.7,
                epochs=0.21, rows=12000, tokens=280000,
            ),
            SourceUse(
                arm="control", source="validated-text", sample_share=0.18, token_share=0.3, supervised_share=0.3,
                epochs=0.34, rows=900, tokens=120000,
            ),
            SourceUse(
                arm="worked", source="validated-math", sample_share=0.66, token_share=0.56, supervised_share=0.56,
                epochs=0.17, rows=12000, tokens=224000,
            ),
            SourceUse(
                arm="worked", source="worked", sample_share=0.2, token_share=0.2, supervised_share=0.2,
                epochs=1.31, rows=1600, tokens=80000,
            ),
        ),
        drops=(Dropped(source="web", stage="ingest", reason="empty text", rows=12),),
        card=card(),
        funnels=(
            Funnel(candidate="worked", steps=(
                FunnelStep(stage="ingest", rows=2500, dropped=0, seconds=0.4),
                FunnelStep(stage="dedup", rows=2400, dropped=100, reasons="duplicate 100", seconds=1.2),
                FunnelStep(stage="generate", rows=9600, dropped=0, tokens=120_000, seconds=310.5, cost=0.25),
                FunnelStep(stage="keep", rows=1600, dropped=800, reasons="no majority 700, cut 100", seconds=2.0),
            ), judged=(
                Judged(step="keep", groups=(
                    JudgedGroup(
                        group="all", questions=2400, kept=1600, answers=9600, right=6000, wrong=3200, undecided=400,
                    ),
                    JudgedGroup(
                        group="source: made", questions=2400, kept=1600, answers=9600, right=6000, wrong=3200,
                        undecided=400,
                    ),
                ), notes=("agreement: of 2,400 questions, the largest class of equal answers has 81.0 %",)),
            )),
        ),
        ledgers=ledgers(),
        power=power(),
        points=points(),
        costs=(
            StageCost(stage="ingest", artifacts=6, seconds=2.4),
            StageCost(stage="anneal", artifacts=15, seconds=571.2, tokens=6_000_000),
            StageCost(stage="evaluate", artifacts=75, seconds=4210.0),
        ),
        engines=(Named(name="torch", value="2.13.0"), Named(name="opencompass", value="0.5.4")),
        digests=(Named(name="base model digest", value="ab" * 32),),
        machine="2 cores, no GPU, x86_64",
        study_hash="0123456789abcdef" * 4,
        date="2026-11-21T14:03:00.000+00:00",
        warnings=("a synthetic warning for the golden files",),
    )  # fmt: skip

from __future__ import annotations

import pytest

from tasks.core.results import CandidateResult, Comparison, Delta, DomainDelta
from tasks.report.config import Dropped, Named, ReportData, SourceUse, StageCost


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


@pytest.fixture
def comparison() -> Comparison:
    return Comparison(
        control="control",
        seeds=(1, 2, 3),
        candidates=(
            candidate(
                "worked", "helps",
                "It makes the model better on steps-2-3 (+12.5 points, +9.8 to +15.2), and nothing else that was "
                "measured is shown to suffer.",
                (12.5, 1.1, 0.2, -0.5, 0.6), "up",
            ),
            candidate(
                "web", "inconclusive",
                "No difference that decides is beyond chance, the largest being steps-2-3 (+0.4 points, −2.3 to +3.1); "
                "an effect below about 3.4 points could not have been seen.",
                (0.4, -0.2, -0.1, 1.0, -1.2), None,
            ),
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
    )  # fmt: skip


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

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.identity import Identity
from tasks.core.results import CandidateResult, Comparison, Delta
from tasks.core.rows import STEPS, write_rows
from tasks.core.store import ArtifactRef, Store
from tasks.track.config import TrackedArm, TrackedDataset, TrackedStudy


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def study(store: Store) -> TrackedStudy:
    return make_study(store)


def make_study(store: Store, steps: int = 30) -> TrackedStudy:
    arms = tuple(
        TrackedArm(
            arm=arm,
            seed=seed,
            params={"learning_rate": 0.003, "model": "tiny"},
            steps=anneal(store, f"{arm}{seed}", steps),
            datasets=(TrackedDataset(name="validated", digest="ab" * 32, source="v.jsonl", num_rows=12),),
            accuracy={"gsm8k": 20.0 + seed},
            totals={"tokens": 4000.0, "seconds": 12.5},
        )
        for arm in ("control", "worked")
        for seed in (1, 2)
    )
    return TrackedStudy(
        study="demo", study_hash="0123456789abcdef", params={"weight": 0.2}, arms=arms, comparison=comparison(),
        report=report(store),
    )  # fmt: skip


def comparison() -> Comparison:
    delta = Delta(
        benchmark="gsm8k", domain="math", metric="accuracy", role="primary", delta=12.5, low=9.5, high=15.5,
        standard_error=1.2, degrees_of_freedom=8.0, p_up=0.001, p_down=0.999, n_items=400, n_seeds=2, n_clusters=400,
        control=21.5, candidate=34.0, margin=None, smallest_effect=3.6, truncated_control=0, truncated_candidate=0,
        bits_per_byte_control=None, bits_per_byte_candidate=None, finding="up",
    )  # fmt: skip
    candidate = CandidateResult(
        name="worked", verdict="helps", sentence="It helps.", deltas=(delta,), domains=(), warnings=()
    )
    return Comparison(control="control", seeds=(1, 2), candidates=(candidate,), warnings=())


def anneal(store: Store, name: str, steps: int) -> ArtifactRef:
    rows = [
        {"step": k, "loss": 3.0 / (k + 1), "learning_rate": 1e-3, "tokens": 64, "seconds": 0.1,
         "tokens_per_second": 640.0, "mfu": None if k == 0 else 0.1}
        for k in range(steps)
    ]  # fmt: skip

    def build(draft):
        write_rows(draft.folder / "logs" / "steps", rows, STEPS)
        (draft.folder / "weights").write_text(name)

    return store.produce(Identity.of("anneal", 1, {}, {"job": name}), build)


def report(store: Store) -> ArtifactRef:
    def build(draft):
        (draft.folder / "report.html").write_text("<p>report</p>")
        (draft.folder / "report.md").write_text("report")

    return store.produce(Identity.of("report", 1, {}, {}), build)

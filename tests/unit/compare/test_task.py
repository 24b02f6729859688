"""The artifact that a comparison becomes, from artifacts of scores."""

from __future__ import annotations

import math

import pytest

from tasks.compare.config import STAGE_VERSION, CompareConfig, ScoredArm
from tasks.compare.task import compare_arms, identity, read_comparison
from tasks.core.errors import IntegrityError
from tasks.core.identity import Identity
from tasks.core.rows import SCORES, write_rows
from tasks.core.store import Store

#: Pinned beside the version: another digest without a higher STAGE_VERSION is a change nobody announced.
PINNED = (1, "cec9f5b2351227bc")


def publish(
    store: Store, arm: str, seed: int, scores, limit: int = 60, split: str = "a", cut: int = 0, **engines
) -> ScoredArm:
    rows = [
        {
            "benchmark": "math-a", "item": item, "cluster": None, "correct": correct, "truncated": False,
            "bits": None if math.isnan(bits) else bits, "bytes": 4, "prompt": prompt, "prediction": "", "gold": "",
        }
        for item, prompt, correct, bits in zip(scores.item, scores.prompt, scores.correct, scores.bits, strict=True)
    ]  # fmt: skip

    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, SCORES), SCORES
        found = engines.get("engines", {"torch": engines.get("torch", "2.13.0")})
        draft.provenance = {"engines": found, "prompts_cut": cut}

    made = store.produce(
        Identity.of("evaluate", 1, {"limit": limit}, {"model": f"{arm}{seed}", "benchmark": split}), build
    )
    return ScoredArm(arm=arm, seed=seed, benchmark="math-a", scores=made)


@pytest.fixture
def tables(build):
    return build({"math-a": {"control": 0.3, "worked": 0.7}}, n=60)


def run(scored, facts, store):
    return compare_arms.fn(scored, facts, "control", CompareConfig(), store.root)


def test_published_found_again_and_pinned(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [publish(store, arm, seed, scores) for (arm, seed, _), scores in tables.items()]
    ref = run(scored, facts, store)
    comparison = read_comparison(store, ref)
    assert comparison.candidates[0].verdict == "helps"
    assert comparison.candidates[0].deltas[0].bits_per_byte_control is None
    assert run(scored[::-1], facts[::-1], store) == ref
    assert (STAGE_VERSION, ref.digest[:16]) == PINNED


def test_other_engines_are_refused_even_where_the_comparison_is_known(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [
        publish(store, arm, seed, scores, torch="2.12.0" if (arm, seed) == ("worked", 2) else "2.13.0")
        for (arm, seed, _), scores in tables.items()
    ]
    with pytest.raises(IntegrityError, match=r"torch is '2.12.0' for worked, seed 2"):
        run(scored, facts, store)


@pytest.mark.parametrize("engines", [{}, None])
def test_unknown_engines_are_refused(tmp_path, tables, facts, engines):
    """A check that has nothing to compare must not pass."""
    store = Store(tmp_path)
    scored = [publish(store, arm, seed, scores, engines=engines) for (arm, seed, _), scores in tables.items()]
    with pytest.raises(IntegrityError, match="does not say by which engines"):
        run(scored, facts, store)


def test_the_engines_that_trained_count_too(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = []
    for (arm, seed, _), scores in tables.items():
        torch = "2.12.0" if (arm, seed) == ("worked", 3) else "2.13.0"

        def build(draft, text=f"{arm}{seed}", torch=torch):
            (draft.folder / "weights").write_text(text)
            draft.provenance = {"engines": {"torch": torch}}

        anneal = store.produce(Identity.of("anneal", 1, {}, {"job": f"{arm}{seed}"}), build)
        scored.append(publish(store, arm, seed, scores).model_copy(update={"anneal": anneal}))
    with pytest.raises(IntegrityError, match=r"trained by other engines: torch is '2.12.0' for worked, seed 3"):
        run(scored, facts, store)


def test_another_benchmark_file_is_refused(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [
        publish(store, arm, seed, scores, split="b" if arm == "worked" else "a")
        for (arm, seed, _), scores in tables.items()
    ]
    with pytest.raises(IntegrityError, match="asked differently: input benchmark is 'b' for worked"):
        run(scored, facts, store)


def test_other_settings_are_refused(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [
        publish(store, arm, seed, scores, limit=50 if arm == "worked" else 60)
        for (arm, seed, _), scores in tables.items()
    ]
    with pytest.raises(IntegrityError, match="limit is 50 for worked, seed 1 and 60 for control, seed 1"):
        run(scored, facts, store)


def test_the_rule_and_the_scores_are_the_identity(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [publish(store, arm, seed, scores) for (arm, seed, _), scores in tables.items()]
    key = identity(scored, facts, "control", CompareConfig()).key
    assert identity(scored, facts, "control", CompareConfig(band=1)).key != key
    assert identity(scored[1:], facts, "control", CompareConfig()).key != key


def test_prompts_that_lost_their_head_are_a_warning(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [publish(store, arm, seed, scores, cut=7) for (arm, seed, _), scores in tables.items()]
    warnings = read_comparison(store, run(scored, facts, store)).warnings
    assert "math-a: 7 of 60 prompts did not fit the model's context and lost their head" in warnings

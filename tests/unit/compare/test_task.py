"""The artifact that a comparison becomes, from artifacts of scores."""

from __future__ import annotations

import math

import pytest

from tasks.compare.artifact import identity, read_comparison, read_disagreements
from tasks.compare.config import STAGE_VERSION, CompareConfig, FilterArm, ScoredArm
from tasks.compare.task import compare_arms
from tasks.core.errors import IntegrityError
from tasks.core.identity import Identity
from tasks.core.rows import EXPOSURES, GRADES, OVERLAPS, SCORES, write_rows
from tasks.core.store import Store

#: Pinned beside the version: another digest without a higher STAGE_VERSION is a change nobody announced.
PINNED = (4, "cd47257f0c189a9f")


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


def run(scored, facts, store, overlaps=None):
    return compare_arms.fn(scored, facts, "control", CompareConfig(), store.root, overlaps)


def regrade(store: Store, one: ScoredArm, scores, word, sympy: str = "1.13") -> ScoredArm:
    """`one` with the grades of a grader whose word on item i is word(i, correct), None where it cannot tell."""
    rows = [
        {
            "benchmark": "math-a", "item": item, "scored": correct, "correct": word(i, correct), "gold": f"#### {i}",
            "prediction": f"so {i}", "method": "number", "evidence": f"stated; {i}",
        }
        for i, (item, correct) in enumerate(zip(scores.item, scores.correct, strict=True))
    ]  # fmt: skip

    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, GRADES), GRADES
        draft.provenance = {"grader": "math-verify", "engines": {"sympy": sympy}}

    made = store.produce(Identity.of("regrade", 1, {"word": str(rows)}, {"scores": one.scores.digest}), build)
    return one.model_copy(update={"grades": made})


def overlapping(store: Store, items, ratio):
    """An artifact of overlaps in which item i was seen by ratio(i), None where it could not be looked for."""

    def build(draft):
        rows = [
            {
                "benchmark": "math-a", "item": item, "status": "unchecked" if ratio(i) is None else "clean",
                "ratio": ratio(i) or 0.0, "kept_ratio": ratio(i) or 0.0, "rows": 0,
            }
            for i, item in enumerate(items)
        ]  # fmt: skip
        write_rows(draft.folder / "items", rows, EXPOSURES)
        draft.num_rows, draft.columns = write_rows(draft.folder, [], OVERLAPS), OVERLAPS

    return store.produce(Identity.of("overlap", 1, {"ratio": str([ratio(i) for i in range(len(items))])}, {}), build)


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


def test_grades_are_compared_and_disagreements_published(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [publish(store, arm, seed, scores) for (arm, seed, _), scores in tables.items()]
    plain = run(scored, facts, store)
    graded = [
        regrade(store, one, scores, lambda i, correct: None if i == 0 else 1 - correct if i == 7 else correct)
        for one, scores in zip(scored, tables.values(), strict=True)
    ]
    ref = run(graded, facts, store)
    assert ref != plain and run(graded[::-1], facts, store) == ref
    result = read_comparison(store, ref).candidates[0]
    [second] = result.regraded
    assert (second.grader, second.n_disagreements, second.n_undecided) == ("math-verify", 6, 6)
    rows = list(read_disagreements(store, ref))
    assert [(row["arm"], row["seed"], row["item"], row["prediction"], row["evidence"]) for row in rows] == [
        (arm, seed, "i007", "so 7", "stated; 7") for arm in ("control", "worked") for seed in (1, 2, 3)
    ]
    assert [one.model_dump() for one in result.disagreements] == rows[:1]
    assert list(read_disagreements(store, plain)) == []


def test_grades_by_other_engines_are_refused(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [
        regrade(
            store, publish(store, arm, seed, scores), scores, lambda _, correct: correct,
            sympy="1.14" if (arm, seed) == ("worked", 2) else "1.13",
        )
        for (arm, seed, _), scores in tables.items()
    ]  # fmt: skip
    with pytest.raises(IntegrityError, match=r"graded again by other engines: sympy is '1.14' for worked, seed 2"):
        run(scored, facts, store)


def test_grades_of_some_seeds_only_are_refused(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [publish(store, arm, seed, scores) for (arm, seed, _), scores in tables.items()]
    scored[-1] = regrade(store, scored[-1], list(tables.values())[-1], lambda _, correct: correct)
    with pytest.raises(IntegrityError, match="graded again by other engines: sympy is"):
        run(scored, facts, store)


def test_overlaps_are_part_of_the_comparison(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [publish(store, arm, seed, scores) for (arm, seed, _), scores in tables.items()]
    items = next(iter(tables.values())).item
    ref = run(scored, facts, store, {"worked": overlapping(store, items, lambda i: None if i < 5 else 0.6 * (i < 9))})
    assert ref != run(scored, facts, store)
    conditioned = {one.threshold: one for one in read_comparison(store, ref).candidates[0].conditioned}
    assert {t: (one.n_items, one.n_matched, one.n_unchecked) for t, one in conditioned.items()} == {
        0.3: (56, 4, 5), 0.5: (56, 4, 5), 0.8: (60, 0, 5),
    }  # fmt: skip
    missing = {"worked": overlapping(store, items[:-1], lambda i: 0.0)}
    with pytest.raises(IntegrityError, match="i059 of math-a was scored, and never looked for"):
        run(scored, facts, store, missing)


def test_grades_and_overlaps_are_the_identity(tmp_path, tables, facts):
    store = Store(tmp_path)
    scored = [publish(store, arm, seed, scores) for (arm, seed, _), scores in tables.items()]
    graded = [
        regrade(store, one, scores, lambda _, correct: correct)
        for one, scores in zip(scored, tables.values(), strict=True)
    ]
    items = next(iter(tables.values())).item
    overlaps = [{"worked": overlapping(store, items, lambda i, r=r: r)} for r in (0.0, 0.5)]
    asked = (facts, "control", CompareConfig())
    keys = {identity(one, *asked, other).key for one in (scored, graded) for other in (None, *overlaps)}
    assert len(keys) == 6


def test_an_arm_that_lacks_a_filter_is_graded_and_judged_by_nobody(tmp_path, build, facts):
    store = Store(tmp_path)
    tables = build({"math-a": {"control": 0.3, "worked": 0.7, "worked-without-dedup": 0.6}}, n=60)
    lacks = FilterArm(arm="worked-without-dedup", candidate="worked", filter="dedup")
    scored = [
        regrade(store, publish(store, arm, seed, scores), scores, lambda _, correct: correct).model_copy(
            update={"lacks": lacks if arm == lacks.arm else None}
        )
        for (arm, seed, _), scores in tables.items()
    ]
    comparison = read_comparison(store, run(scored, facts, store))
    assert [one.name for one in comparison.candidates] == ["worked"]
    assert comparison.candidates[0].regraded[0].n_disagreements == 0

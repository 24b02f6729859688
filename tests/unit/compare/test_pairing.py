"""Pairing: what lines up, and what is refused by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tasks.compare.pairing import pair
from tasks.compare.provenance import Origin, check_origins
from tasks.core.errors import IntegrityError


def change(tables, key, **columns):
    return tables | {key: dataclasses.replace(tables[key], **columns)}


@pytest.fixture
def tables(build):
    return build({"math-a": {"control": 0.3, "x": 0.5}}, seeds=2, n=6)


KEY = ("x", 2, "math-a")


def test_items_are_matched_by_name_not_by_place(tables):
    order = [3, 1, 5, 0, 2, 4]
    old = tables[KEY]
    shuffled = {
        name: np.asarray(
            getattr(old, name), dtype=object if name in ("item", "prompt", "cluster", "benchmark") else float
        )[order]
        for name in ("benchmark", "item", "cluster", "prompt", "correct", "truncated", "bits", "bytes")
    }
    before, after = pair(tables, "control")[0], pair(change(tables, KEY, **shuffled), "control")[0]
    np.testing.assert_array_equal(before.correct, after.correct)


def test_control_first_then_names(build):
    tables = build({"math-a": {"zeta": 0.5, "control": 0.3, "alpha": 0.4}}, seeds=2, n=5)
    paired = pair(tables, "control")[0]
    assert paired.arms == ("control", "alpha", "zeta")
    assert paired.correct.shape == (3, 2, 5)


def test_clusters_and_bits_per_byte(tables):
    for arm in ("control", "x"):
        for seed in (1, 2):
            bits = np.array([8, 8, np.nan, 16, 0, 0.0]) * (1 if arm == "control" else 2)
            tables = change(
                tables, (arm, seed, "math-a"), bits=bits, bytes=np.array([2, 2, 9, 4, 0, 0.0]),
                cluster=["a", "a", "b", None, "", "b"],
            )  # fmt: skip
    paired = pair(tables, "control")[0]
    assert paired.cluster.tolist() == [0, 0, 1, 2, 3, 1]
    assert paired.bits_per_byte.tolist() == [4.0, 8.0]


def test_no_gold_text_is_no_bits_per_byte(tables):
    assert np.isnan(pair(tables, "control")[0].bits_per_byte).all()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"item": ["i000", "i001", "i002", "i003", "i004", "zzz"]}, ["different items", "1 (i005) missing", "1 (zzz)"]),
        ({"item": ["i000", "i000", "i002", "i003", "i004", "i005"]}, ["'i000' twice"]),
        ({"correct": np.array([0, 1, 1.5, 0, 0, 0])}, ["1.5", "'i002'", "0 to 1"]),
        ({"correct": np.array([0, 1, np.nan, 0, 0, 0])}, ["nan", "'i002'"]),
        ({"prompt": ["p0", "p1", "p2", "p3", "p4", "other"]}, ["prompt of 1 items", "'i005'"]),
        ({"cluster": ["c"] * 6}, ["cluster of 6 items"]),
        ({"benchmark": ["math-a"] * 5 + ["gsm8k"]}, ["rows of gsm8k"]),
    ],
)
def test_what_does_not_match_is_refused(tables, columns, words):
    with pytest.raises(IntegrityError) as caught:
        pair(change(tables, KEY, **columns), "control")
    for word in [*words, "x, seed 2, on math-a"]:
        assert word in str(caught.value)
    assert "run the evaluation of x, seed 2, on math-a again" in caught.value.remedy


def test_missing_seed_benchmark_and_control(tables):
    missing = {key: scores for key, scores in tables.items() if key != KEY}
    with pytest.raises(IntegrityError, match=r"no scores of x, seed 2, on math-a"):
        pair(missing, "control")
    with pytest.raises(IntegrityError, match="needs the control 'base'"):
        pair(tables, "base")
    with pytest.raises(IntegrityError, match="needs the control"):
        pair({}, "control")


def origins(**changes):
    base = {"asked": {"limit": 400, "prompt": "few-shot"}, "scored_by": {"torch": "2.13.0"}, "trained_by": {"ds": "1"}}
    base |= {"graded_by": {"sympy": "1.13"}}
    keys = [(arm, seed, "math-a") for arm in ("control", "x") for seed in (1, 2)]
    stages = {"scores": "evaluate", "model": "anneal", "grades": "regrade"}
    places = {key: {name: f"/{stage}/{key[0]}{key[1]}" for name, stage in stages.items()} for key in keys}
    return {key: Origin(**places[key], **(base | (changes if key == KEY else {}))) for key in keys}


def test_the_same_origins_pass():
    check_origins(origins(), "control")


@pytest.mark.parametrize(
    ("changes", "words", "again"),
    [
        (
            {"asked": {"limit": 200, "prompt": "few-shot"}},
            "limit is 200 for x, seed 2 and 400 for control",
            "evaluate",
        ),
        ({"asked": {"prompt": "few-shot"}}, "limit is None for x, seed 2", "evaluate"),
        ({"scored_by": {"torch": "2.14.0"}}, "scored by other engines: torch is '2.14.0'", "evaluate"),
        ({"trained_by": {"ds": "2"}}, "trained by other engines: ds is '2'", "anneal"),
        ({"graded_by": {"sympy": "1.14"}}, "graded again by other engines: sympy is '1.14'", "regrade"),
        ({"graded_by": {}}, "graded again by other engines: sympy is None for x, seed 2", "regrade"),
    ],
)
def test_other_origins_are_refused(changes, words, again):
    with pytest.raises(IntegrityError) as caught:
        check_origins(origins(**changes), "control")
    assert words in str(caught.value)
    assert f"remove /{again}/x2 (or, to keep it, /{again}/control1) and run again" in caught.value.remedy

"""What a study shows, and how little of it is sent twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.costs import CostPerPoint, PerPoint, Spent
from tasks.core.errors import IntegrityError
from tasks.core.ledgers import Ledger
from tasks.core.results import ConditionedDelta, DomainDelta, GradedDelta, OverallDelta
from tasks.core.store import Store
from tasks.track.config import TrackConfig, TrackedStudy
from tasks.track.engine import ScriptedTracker
from tasks.track.entries import study_entries, thinned
from tasks.track.replay import record, replay_all


def test_every_run_is_opened_before_anything_belongs_to_it(study: TrackedStudy, store: Store):
    opened: set[str] = set()
    for entry in study_entries(study, store, TrackConfig()):
        if entry.kind == "run":
            assert entry.body["parent"] is None or entry.body["parent"] in opened
            opened.add(entry.run)
        assert entry.run in opened
    assert len(opened) == 1 + 1 + 4


def test_deltas_and_tags_of_a_candidate(study: TrackedStudy, store: Store):
    entries = [one for one in study_entries(study, store, TrackConfig()) if one.run.endswith("/worked")]
    assert entries[0].body["tags"].items() >= {"study": "demo", "candidate": "worked", "verdict": "helps"}.items()
    assert entries[1].body.items() >= {"weight": "0.2", "candidate": "worked"}.items()
    assert entries[2].body["points"] == [
        ["delta/gsm8k", 12.5, 0],
        ["delta_low/gsm8k", 9.5, 0],
        ["delta_high/gsm8k", 15.5, 0],
    ]


def test_everything_the_report_says_of_a_candidate_is_a_metric(study: TrackedStudy, store: Store):
    assert study.comparison is not None
    gain = OverallDelta(delta=5, low=1, high=9, standard_error=2, degrees_of_freedom=9, benchmarks=("gsm8k",))
    graded = GradedDelta(
        benchmark="gsm8k", grader="other", delta=11, low=8, high=14, finding="up", n_disagreements=3, n_undecided=0
    )
    clean = ConditionedDelta(
        benchmark="gsm8k", threshold=0.5, delta=12, low=None, high=None, n_items=390, n_matched=10, n_unchecked=0,
        matched_delta=20, p_matched=None, shown_up=True,
    )  # fmt: skip
    [worked] = study.comparison.candidates
    pooled = DomainDelta(domain="knowledge", delta=-1, low=-2, high=0, margin=1, within_margin=False, n_items=900)
    more = worked.model_copy(
        update={"overall": gain, "regraded": (graded,), "conditioned": (clean,), "domains": (pooled,)}
    )
    spent = Spent(gpu_hours=0, core_hours=3, model_tokens=0, trained_tokens=100)
    cost = CostPerPoint(
        candidate="worked", gain=5, gain_low=1, gain_high=9, spent=spent, sentence="",
        units=(PerPoint(unit="core-hours", total=3, estimate=0.6, low=1 / 3, high=None),),
    )  # fmt: skip
    ledger = Ledger(candidate="worked", n_seeds=2, items=400, fixed=60, broken=10, topics=(), difficulties=(), shown=())
    data = study.model_copy(
        update={
            "comparison": study.comparison.model_copy(update={"candidates": (more,)}),
            "points": (cost,),
            "ledgers": (ledger, ledger.model_copy(update={"candidate": "other"})),
        }
    )
    entries = [one for one in study_entries(data, store, TrackConfig()) if one.run.endswith("/worked")]
    numbers = {name: value for one in entries if one.kind == "metrics" for name, value, _ in one.body["points"]}
    assert numbers.items() >= {
        "delta/mean of primaries": 5, "delta_low/mean of primaries": 1, "delta_regraded/gsm8k": 11,
        "delta_domain/knowledge": -1, "delta_domain_low/knowledge": -2, "delta_domain_high/knowledge": 0,
        "delta_clean_0.5/gsm8k": 12, "fixed": 60, "broken": 10, "cost/core-hours": 3, "cost_per_point/core-hours": 0.6,
        "cost_per_point_low/core-hours": 1 / 3,
    }.items()  # fmt: skip
    [table] = [one.body for one in study_entries(data, store, TrackConfig()) if one.kind == "table"]
    whole = dict(zip(table["columns"], table["data"][1], strict=True))
    assert whole.items() >= {"benchmark": "all knowledge", "role": "domain", "delta": -1, "control": None}.items()
    assert whole.items() >= {"n_items": 900, "n_seeds": 2}.items()
    assert "cost_per_point_high/core-hours" not in numbers and "delta_clean_0.5_low/gsm8k" not in numbers


def test_all_deltas_are_one_table_of_the_study(study: TrackedStudy, store: Store):
    [table] = [one for one in study_entries(study, store, TrackConfig()) if one.kind == "table"]
    assert table.run == study.study_hash
    [row] = table.body["data"]
    shown = dict(zip(table.body["columns"], row, strict=True))
    assert shown.items() >= {"name": "worked", "verdict": "helps", "benchmark": "gsm8k", "delta": 12.5}.items()


def test_series_leave_out_what_is_not_there(study: TrackedStudy, store: Store):
    points = [p for e in study_entries(study, store, TrackConfig()) if e.kind == "metrics" for p in e.body["points"]]
    assert sum(name == "loss" for name, _, _ in points) == 4 * 30
    assert sum(name == "mfu" for name, _, _ in points) == 4 * 29


@given(st.integers(0, 300), st.integers(2, 50))
def test_thinned_keeps_the_ends_and_the_order(count: int, most: int):
    rows = [{"step": k} for k in range(count)]
    kept = thinned(rows, most)
    assert len(kept) == min(count, most)
    assert kept == sorted(kept, key=lambda row: row["step"])
    assert len({row["step"] for row in kept}) == len(kept)
    if count:
        assert (kept[0], kept[-1]) == (rows[0], rows[-1])


def test_early_without_a_comparison_then_whole(study: TrackedStudy, store: Store):
    tracker = ScriptedTracker()
    early = study.model_copy(update={"comparison": None, "report": None, "arms": study.arms[:1]})
    for data in (early, study, study):
        journal = record(store.root, data, study_entries(data, store, TrackConfig()))
        outcome = replay_all(store.root, journal, tracker)
        assert (outcome.warning, outcome.entries) == ("", len(tracker.entries["0123456789abcdef"]))
    assert outcome.sent == 0


@given(st.integers(0, 30))
def test_a_tracker_that_fails_anywhere_is_caught_up_later(tmp_path_factory, fail_after: int):
    store = Store(tmp_path_factory.mktemp("store"))
    data = TrackedStudy(study="demo", study_hash="0123456789abcdef", params={"a": 1})
    others = [data.model_copy(update={"study": f"s{k}", "study_hash": f"{k:08x}"}) for k in range(3)]
    tracker = ScriptedTracker(fail_after)
    for one in (data, *others):
        outcome = replay_all(store.root, record(store.root, one, study_entries(one, store, TrackConfig())), tracker)
        assert bool(outcome.warning) == (fail_after < 2)
    tracker.fail_after = None
    replay_all(store.root, record(store.root, data, ()), tracker)
    assert {run: len(held) for run, held in tracker.entries.items()} == dict.fromkeys(
        ["0123456789abcdef", "00000000", "00000001", "00000002"], 2
    )


def test_another_tracker_or_an_emptied_one_gets_everything(study: TrackedStudy, store: Store):
    journal = record(store.root, study, study_entries(study, store, TrackConfig()))
    first, second = ScriptedTracker(), ScriptedTracker()
    second.target = "elsewhere"
    total = replay_all(store.root, journal, first).sent
    assert replay_all(store.root, journal, second).sent == total
    first.entries.clear()
    assert replay_all(store.root, journal, first).sent == total


def test_only_this_studys_damage_is_an_error(study: TrackedStudy, store: Store):
    journal = record(store.root, study, study_entries(study, store, TrackConfig()))
    other = journal.path.with_name("other-abc.jsonl")
    other.write_text("broken\n")
    assert "other-abc.jsonl:1 is damaged" in replay_all(store.root, journal, ScriptedTracker()).warning
    journal.path.write_text("broken\n")
    with pytest.raises(IntegrityError):
        replay_all(store.root, journal, ScriptedTracker())

"""What is shown of a finished study, from manifests that were written by hand."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from flows.findings import comparison_of, report_data, summary, tracked_study
from flows.record import RunRecord, StudyRecord
from flows.study import parse_study
from flows.tables import study_table
from flows.trace import trace
from tasks.core.checkpoint import Checkpoint
from tasks.core.errors import DataError
from tasks.core.identity import Identity
from tasks.core.results import CandidateResult, Comparison, Delta, FilterDelta
from tasks.core.rows import PACKS, PLAN, RECORDS, write_rows
from tasks.core.store import Store, write_json

GOLDEN = Path(__file__).parent / "golden" / "show.json"
STUDY = {
    "name": "golden",
    "base": {"path": "/models/base"},
    "stage": "pretrain",
    "validated": [{"name": "mix", "weight": 1, "file": "mix.jsonl"}],
    "candidates": [{"name": "new", "file": "new.jsonl"}, {"name": "also", "file": "also.jsonl"}],
    "tokens": 1000,
    "seeds": [1, 2],
    "anneal": {"sequence_length": 10, "global_batch": 2},
    "benchmarks": [{"name": "math"}, {"name": "gsm8k"}],
}


def delta(benchmark, value):
    return Delta(
        benchmark=benchmark, domain="math", metric="accuracy", role="primary", delta=value, low=value - 1.5,
        high=value + 1.5, standard_error=0.5, degrees_of_freedom=10, p_up=0.01, p_down=0.99, n_items=1319, n_seeds=2,
        n_clusters=1319, control=40.0, candidate=40.0 + value, margin=None, smallest_effect=1.5, truncated_control=0.0,
        truncated_candidate=0.0, bits_per_byte_control=None, bits_per_byte_candidate=None,
    )  # fmt: skip


def both(value):
    return delta("gsm8k", value), delta("math", 0.0)


def publish(store, stage, name, build, **provenance):
    def made(draft):
        build(draft)
        draft.provenance = provenance

    ref = store.produce(Identity.of(stage, 1, {"name": name}, {}), made)
    path = store.folder(ref) / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"seconds": 2.25, "created": "2026-11-21T12:00:00.000+00:00"}))
    return ref


def share(source, tokens):
    return {
        "source": source, "sequences": 10, "samples": 20, "tokens": tokens, "supervised_tokens": tokens,
        "sample_share": 0.5, "token_share": 0.5, "supervised_token_share": 0.5, "epochs": 1.0,
    }  # fmt: skip


def plan(store, arm, seed):
    def build(draft):
        write_rows(draft.folder, [{"position": 3, "source": arm, "sequence": 1}], PLAN)
        write_json(
            draft.folder / "shares.json",
            [share("mix", 80), share(arm, 20)] if arm != "control" else [share("mix", 100)],
        )

    return publish(store, "plan", f"{arm}{seed}", build)


def pack(store, name):
    row = {"input_ids": [1, 2], "labels": [-100, 2], "lengths": [2]}
    rows = [row | {"row_ids": ["other"]}, row | {"row_ids": [f"row-of-{name}"]}]
    return publish(
        store, "pack", name, lambda d: write_rows(d.folder, rows, PACKS), source=name, dropped={"too long": 3}
    )


def records(store, name):
    row = {"row_id": f"row-of-{name}", "source": name, "origin": f"{name}.jsonl:7", "text": "t", "messages": None}
    return publish(store, "ingest", name, lambda d: write_rows(d.folder, [row], RECORDS), dropped={})


@pytest.fixture
def found(tmp_path):
    store = Store(tmp_path)
    study = parse_study(STUDY, "here")
    sources = {source.name: records(store, source.name) for source in study.sources}
    packs = {name: pack(store, name) for name in sources}

    def file(text):
        return lambda draft: (draft.folder / "file").write_text(text)

    runs = tuple(
        RunRecord(
            arm=arm,
            seed=seed,
            plan=plan(store, arm, seed),
            model=publish(store, "anneal", f"{arm}{seed}", file(f"{arm}{seed}"), tokens=100, engines={"torch": "2"}),
            scores={
                b.name: publish(store, "evaluate", f"{arm}{seed}{b.name}", file(f"{arm}{seed}{b.name}"), accuracy=40.5)
                for b in study.benchmarks
            },
        )
        for seed in study.seeds
        for arm in study.arms
    )
    results = [
        CandidateResult(name=n, verdict=v, sentence=f"{n} {v}.", deltas=both(d), domains=(), warnings=())
        for n, v, d in (("also", "inconclusive", 0.25), ("new", "helps", 4.0))
    ]  # fmt: skip
    comparison = Comparison(control="control", seeds=(1, 2), candidates=tuple(results), warnings=())
    ref = publish(
        store, "compare", "c", lambda d: (d.folder / "comparison.json").write_text(comparison.model_dump_json())
    )
    base = Checkpoint(folder=Path("/models/base"), digest="b", tokenizer="t", template="c", template_text=None)
    record = StudyRecord(
        study=study, study_hash="a" * 64, base=base, machine="a machine", records=sources, packs=packs, runs=runs,
        comparison=ref,
    )  # fmt: skip
    report = publish(store, "report", "r", file("report"))
    return store, record, report


def test_what_show_prints_is_a_promise_to_scripts(found):
    store, record, report = found
    shown = summary(store, record, report)
    assert shown["report"].endswith("report.html")
    shown["report"] = "report.html"
    assert json.dumps(shown, indent=2) + "\n" == GOLDEN.read_text()


def test_show_says_what_filters_are_worth_where_a_study_asks(found):
    store, record, report = found
    worth = FilterDelta(candidate="new", filter="judge", benchmark="math", delta=3, low=1, high=5, n_items=9, n_seeds=2)
    asked = comparison_of(store, record).model_copy(update={"filters": (worth,)})
    ref = publish(store, "compare", "f", lambda d: (d.folder / "comparison.json").write_text(asked.model_dump_json()))
    record = record.model_copy(update={"comparison": ref})
    assert summary(store, record, report)["filters"] == [worth.model_dump(mode="json")]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(study_table(record, comparison_of(store, record)))
    assert re.search(r"new +judge +math +\+3\.00 +\+1\.00 to \+5\.00 +9", console.export_text())


def test_candidates_stand_in_the_order_of_the_study(found):
    store, record, _ = found
    data = report_data(store, record)
    assert [candidate.name for candidate in data.comparison.candidates] == ["new", "also"]
    assert [one.benchmark for one in data.comparison.candidates[0].deltas] == ["math", "gsm8k"]


def test_a_report_says_what_was_trained_on_dropped_and_spent(found):
    store, record, _ = found
    data = report_data(store, record)
    assert {(use.arm, use.source) for use in data.sources} == {
        ("control", "mix"), ("new", "mix"), ("new", "new"), ("also", "mix"), ("also", "also"),
    }  # fmt: skip
    assert {(drop.source, drop.reason, drop.rows) for drop in data.drops} == {
        (name, "too long", 3) for name in ("mix", "new", "also")
    }
    cost = {cost.stage: cost for cost in data.costs}
    assert (cost["anneal"].artifacts, cost["anneal"].seconds, cost["anneal"].tokens) == (6, 13.5, 600)
    assert cost["evaluate"].artifacts == 12
    assert report_data(store, record) == data


def test_the_tracker_gets_every_run_in_percent(found):
    store, record, report = found
    data = report_data(store, record)
    tracked = tracked_study(store, record, report, data)
    assert (tracked.comparison, tracked.points, tracked.ledgers) == (data.comparison, data.points, ())
    assert len(tracked.arms) == 6
    assert tracked.arms[0].accuracy == {"math": 40.5, "gsm8k": 40.5}
    assert tracked.arms[1].totals == {"tokens": 100, "seconds": 2.25}


def test_a_row_that_nobody_knows_is_an_error(found):
    with pytest.raises(DataError, match="no row 'nobody'"):
        trace(found[0], "nobody")

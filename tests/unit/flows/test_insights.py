"""Ledgers and the card of a finished study whose artifacts were written by hand."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from flows import assess, cards, insights, ledgers
from flows.accounts import funnels
from flows.cards import origin, publish_card
from flows.findings import Insights, report_data
from flows.funnel import funnel
from flows.ledgers import failed_questions, publish_ledgers
from flows.record import RunRecord, StudyRecord, latest
from flows.study import Runtime, parse_study
from flows.work import Work
from tasks.core.cards import read_card
from tasks.core.checkpoint import Checkpoint
from tasks.core.errors import InfrastructureError
from tasks.core.identity import Identity
from tasks.core.results import CandidateResult, Comparison, Delta
from tasks.core.rows import ITEMS, RECORDS, SCORES, write_rows
from tasks.core.store import Store, write_json
from tasks.core.vectors import VECTORS, shard_name
from tasks.decontaminate.config import DecontaminateConfig
from tasks.decontaminate.task import report_overlaps
from tasks.evaluate.config import EvaluateRuntime
from tasks.judge.engine import Finding
from tasks.judge.retention import Tally
from tasks.ledger.artifact import read_ledger
from tasks.mix.artifact import SIZE_FILE
from tasks.report.config import ReportData
from tasks.retrieve.config import DenseConfig, RetrieveRuntime
from tasks.retrieve.engine import Neighbours
from tasks.retrieve.task import retrieve
from tasks.track.config import TrackOutcome

WORDS = "Ann has {} apples and buys {} more of them at the market on Monday. How many apples has she?"
STUDY = {
    "name": "small",
    "base": {"path": "/models/base"},
    "stage": "pretrain",
    "validated": [
        {"name": "mix", "weight": 3, "file": "data/mix.jsonl", "licence": "CC-BY-4.0"},
        {"name": "hub", "weight": 1, "hub": {"id": "a/b", "revision": "c" * 40}},
    ],
    "candidates": [{"name": "new", "file": "new.jsonl"}],
    "tokens": 1000,
    "seeds": [1, 2],
    "anneal": {"sequence_length": 10, "global_batch": 2},
    "benchmarks": [{"name": "sums", "file": "sums.jsonl", "kind": "qa", "domain": "math"}],
}
ITEM_NAMES = [f"sums/{n}-{n:012x}" for n in range(6)]


@pytest.fixture
def studied(tmp_path, monkeypatch):
    """A store with a finished study in it; its candidate teaches three of six items, and one of them word for word."""
    for module in (cards, ledgers):
        monkeypatch.setattr(module, "cached", lambda task, store, identities: task.fn)
    store = Store(tmp_path)

    def made(stage, name, build, **provenance):
        def whole(draft):
            build(draft)
            draft.provenance = provenance

        return store.produce(Identity.of(stage, 1, {"name": name}, {}), whole)

    def records(name, texts):
        rows = [
            {"row_id": f"{name}-{n}", "source": name, "origin": f"{name}.jsonl:{n}", "text": text, "messages": None}
            for n, text in enumerate(texts)
        ]

        def build(draft):
            draft.num_rows, draft.columns = write_rows(draft.folder, rows, RECORDS), RECORDS

        return made("ingest", name, build, dropped={})

    def share(source, tokens):
        counts = {"sequences": 1, "samples": 2, "tokens": tokens, "supervised_tokens": tokens, "epochs": 0.5}
        shares = ("sample_share", "token_share", "supervised_token_share")
        return {"source": source, **counts, **dict.fromkeys(shares, tokens / 100)}

    sources = {
        "mix": records("mix", ["One and the same page of text about nothing at all."] * 3 + [WORDS.format(5, 5)]),
        "hub": records("hub", ["Another page, of another kind, on the same day of the same week in May."]),
        "new": records("new", [WORDS.format(n, n) for n in range(3)]),
    }
    size = {"sequences": 1, "samples": 2, "tokens": 123, "supervised_tokens": 123}
    packs = {name: made("pack", name, lambda d: write_json(d.folder / SIZE_FILE, size)) for name in sources}
    rows = [{"benchmark": "sums", "item": name, "text": WORDS.format(n, n)} for n, name in enumerate(ITEM_NAMES)]
    asked = tmp_path / "sums.jsonl"
    asked.write_text("".join(json.dumps({"question": row["text"], "topic": "shopping"}) + "\n" for row in rows))
    items = made("items", "items", lambda d: write_rows(d.folder, rows, ITEMS))

    def scores(arm, seed):
        right = {"control": [0, 0, 0, 0, 0, 1], "new": [1, 1, 1, 0, 0, 0]}[arm]
        table = [
            {"benchmark": "sums", "item": name, "cluster": name, "correct": float(one), "truncated": False,
             "bits": None, "bytes": None, "prompt": "p", "prediction": f"{arm} {seed}", "gold": "2"}
            for name, one in zip(ITEM_NAMES, right, strict=True)
        ]  # fmt: skip
        return made("evaluate", f"{arm}{seed}", lambda d: write_rows(d.folder, table, SCORES), accuracy=50.0)

    def plan(arm):
        return made("plan", arm, lambda d: write_json(d.folder / "shares.json", [share("mix", 75), share("hub", 25)]))

    runs = tuple(
        RunRecord(
            arm=arm, seed=seed, plan=plan(arm), scores={"sums": scores(arm, seed)},
            model=made("anneal", f"{arm}{seed}", lambda d: (d.folder / "f").write_text("m"), tokens=100),
        )
        for seed in (1, 2)
        for arm in ("control", "new")
    )  # fmt: skip
    delta = Delta(
        benchmark="sums", domain="math", metric="accuracy", role="primary", delta=33.3, low=1, high=60,
        standard_error=9, degrees_of_freedom=5, p_up=0.1, p_down=0.9, n_items=6, n_seeds=2, n_clusters=6, control=16.7,
        candidate=50, margin=None, smallest_effect=27, truncated_control=0, truncated_candidate=0,
        bits_per_byte_control=None, bits_per_byte_candidate=None,
    )  # fmt: skip
    result = CandidateResult(name="new", verdict="inconclusive", sentence="?", deltas=(delta,), domains=(), warnings=())
    comparison = Comparison(control="control", seeds=(1, 2), candidates=(result,), warnings=())
    declared = {**STUDY, "benchmarks": [{**STUDY["benchmarks"][0], "file": str(asked)}]}
    record = StudyRecord(
        study=parse_study(declared, "here"), study_hash="a" * 64, machine="a machine", records=sources, packs=packs,
        base=Checkpoint(folder=tmp_path, digest="b", tokenizer="t", template="c", template_text=None), runs=runs,
        comparison=made(
            "compare", "c", lambda d: (d.folder / "comparison.json").write_text(comparison.model_dump_json())
        ),
        items=items,
        overlaps={"new": report_overlaps.fn("new", DecontaminateConfig(), sources["new"], items, store.root)},
    )  # fmt: skip
    return store, record


def test_a_ledger_links_what_was_fixed_to_the_rows_that_are_near(studied):
    store, record = studied
    [(name, ref)] = publish_ledgers(store, record, RetrieveRuntime(), EvaluateRuntime()).items()
    ledger = read_ledger(store, ref)
    assert (name, ledger.candidate, ledger.fixed, ledger.broken) == ("new", "new", 3, 1)
    first = next(one for one in ledger.shown if one.item == ITEM_NAMES[1])
    assert first.question == WORDS.format(1, 1)
    assert first.nearest[0].row_id == "new-1" and first.nearest[0].share > 0.99
    assert first.overlap == 1.0
    assert [(one.group, one.fixed, one.broken) for one in ledger.topics] == [("shopping", 3, 1)]
    assert ledger.targeted.held.items >= 3  # every item is held word for word, or but for its numbers


def test_a_study_without_items_still_has_its_ledger(studied):
    store, record = studied
    bare = record.model_copy(update={"items": None, "overlaps": {}})
    ledger = read_ledger(store, publish_ledgers(store, bare, RetrieveRuntime(), EvaluateRuntime())["new"])
    assert (ledger.fixed, ledger.targeted) == (3, None)


def test_the_card_counts_repeats_licences_and_items_given_away(studied):
    store, record = studied
    ref = publish_card(store, record, DecontaminateConfig())
    card = read_card(store, ref)
    mix, hub = card.sources
    assert (mix.licence, mix.origin, mix.token_share, mix.same, mix.near) == ("CC-BY-4.0", "mix.jsonl", 0.75, 2, 0)
    assert (hub.licence, hub.same, hub.exposed) == (None, 0, 0)
    assert hub.origin == f"a/b, train at {'c' * 40}"
    assert mix.exposed >= 1
    [exposed] = card.exposed
    assert (exposed.benchmark, exposed.exposed, exposed.checked + exposed.unchecked) == ("sums", mix.exposed, 6)
    assert (store.folder(ref) / "card.json").exists()
    assert publish_card(store, record, DecontaminateConfig()) == ref


def test_a_licence_is_no_identity():
    from flows.datasets import records_identity

    [mix, _] = parse_study(STUDY, "here").validated
    made_by_rule = {"name": "m", "recipe": {"kind": "arithmetic", "largest": 9, "count": 5, "seed": "s"}}
    with_licence, without = (
        type(mix).model_validate({**made_by_rule, "weight": 1, **extra}) for extra in ({"licence": "MIT"}, {})
    )
    assert with_licence.licence == "MIT"
    assert records_identity(with_licence) == records_identity(without)
    assert origin(with_licence) == "recipe arithmetic"


def test_the_report_shows_both(studied):
    store, record = studied
    seen = Insights(
        ledgers=publish_ledgers(store, record, RetrieveRuntime(), EvaluateRuntime()),
        card=publish_card(store, record, DecontaminateConfig()),
    )
    data = report_data(store, record, seen)
    assert [one.candidate for one in data.ledgers] == ["new"]
    assert data.card is not None and len(data.card.sources) == 2
    assert report_data(store, record).card is None


@pytest.fixture
def concluded(studied, monkeypatch):
    """The end of that study's flow, to be called: with neither Prefect nor MLflow."""
    store, record = studied
    monkeypatch.setattr(assess, "cached", lambda task, store, identities: task.fn)
    monkeypatch.setattr(insights, "declared_power_of", lambda *given: None)  # the benchmark's file is not there
    monkeypatch.setattr(assess, "track_study", lambda *given: TrackOutcome(journal="", entries=0, sent=0))
    for shown in ("create_markdown_artifact", "create_table_artifact"):
        monkeypatch.setattr(f"tasks.report.task.{shown}", lambda *given, **named: None)
    work = Work(record.study, Runtime(store=store.root), record.base)
    ref = store.produce(
        Identity.of("study", 1, {}, {}),
        lambda d: (d.folder / "study.json").write_text(record.model_dump_json()) and None,
    )
    return store, lambda: assess._conclude(work, ref)


def report_of(store):
    return ReportData.model_validate_json((store.folder(latest(store, "small").report) / "report.json").read_text())


def test_a_fault_in_the_ledger_leaves_the_verdicts_with_the_reason_and_ends_in_its_error(concluded, monkeypatch):
    store, conclude = concluded
    whole = insights.publish_ledgers

    def fails(*given):
        raise InfrastructureError("the index needs 3 MiB", remedy="take a larger machine")

    monkeypatch.setattr(insights, "publish_ledgers", fails)
    with pytest.raises(InfrastructureError, match="3 MiB"):
        conclude()
    found = report_of(store)
    assert [one.verdict for one in found.comparison.candidates] == ["inconclusive"]
    assert found.ledgers == () and found.card is not None
    assert found.warnings == (
        "What was fixed and what was broken is not shown: the index needs 3 MiB remedy: take a larger machine",
    )
    page = (store.folder(latest(store, "small").report) / "report.html").read_text()
    assert "the index needs 3 MiB" in page
    monkeypatch.setattr(insights, "publish_ledgers", whole)
    conclude()
    assert report_of(store).ledgers and report_of(store).warnings == ()


def test_even_a_fault_that_nobody_foresaw_leaves_the_verdicts(concluded, monkeypatch):
    store, conclude = concluded
    monkeypatch.setattr(insights, "publish_card", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        conclude()
    found = report_of(store)
    assert found.ledgers and found.card is None
    assert found.warnings == ("The validated set is not shown: ZeroDivisionError: division by zero",)


def test_of_two_faults_each_is_said_and_the_first_is_the_end(concluded, monkeypatch):
    store, conclude = concluded
    said = []
    monkeypatch.setattr(assess, "say", lambda stage, text: said.append((stage, text)))
    monkeypatch.setattr(insights, "publish_ledgers", lambda *given: 1 / 0)
    monkeypatch.setattr(insights, "publish_card", lambda *given: int("none"))
    with pytest.raises(ZeroDivisionError):
        conclude()
    page = store.folder(latest(store, "small").report) / "report.html"
    assert said == [
        ("report", f"{page} has the verdicts, and not what was fixed and what was broken"),
        ("report", f"{page} has the verdicts, and not the validated set"),
    ]


def test_failed_questions_are_found_behind_what_was_made_of_them(tmp_path):
    store = Store(tmp_path)

    def made(stage, sources):
        def build(draft):
            (draft.folder / "file").write_text(stage)
            draft.sources = sources

        return store.produce(Identity.of(stage, 1, {}, {}), build)

    failed = made("failures", {"verdicts": "judge/0"})
    retrieved = made("retrieve", {"queries": failed.path})
    assert failed_questions(store, made("recipe", {"records": retrieved.path})).digest == failed.digest
    assert failed_questions(store, made("ingest", {})) is None


def test_the_funnel_of_what_vectors_found_has_the_encoder(tmp_path, monkeypatch):
    store = Store(tmp_path)
    found = Neighbours(rows=np.array([[0]]), scores=np.array([[1.0]], dtype=np.float32))
    index = SimpleNamespace(search=lambda asking, k: found, facts={})
    monkeypatch.setitem(sys.modules, "tasks.retrieve.faiss", SimpleNamespace(open_index=lambda *given: index))

    def table(name):
        row = {"row_id": name, "source": name, "origin": f"{name}:1", "text": f"{name} asked", "messages": None}

        def build(draft):
            draft.num_rows, draft.columns = write_rows(draft.folder, [row], RECORDS), RECORDS

        return store.produce(Identity.of("ingest", 1, {"name": name}, {}), build)

    def vectors(rows):
        def build(draft):
            np.save(draft.folder / shard_name(0), np.ones((1, 2), dtype=np.float32))
            draft.num_rows = write_rows(draft.folder, [{"row_id": Path(rows).name}], VECTORS)
            draft.seconds, draft.sources = 2.5, {"rows": tables[rows].path}

        config = {"pooling": "mean"}
        return store.produce(Identity.of("embed", 1, config, {"rows": tables[rows].digest, "encoder": "e"}), build)

    tables = {name: table(name) for name in ("pool", "asked")}
    made = retrieve.fn(
        "new", DenseConfig(), {"pool": tables["pool"]}, {"pool": vectors("pool")}, tables["asked"], vectors("asked"),
        store.root,
    )  # fmt: skip
    steps = funnel(store, made)
    assert sorted(step.stage for step in steps) == ["embed", "embed", "ingest", "ingest", "retrieve"]
    assert [(step.rows, step.seconds) for step in steps if step.stage == "embed"] == [(1, 2.5)] * 2
    assert steps[-1].stage == "retrieve"


def test_the_funnel_of_a_recipe_is_its_steps_and_not_the_recipes_own_copy(tmp_path):
    store = Store(tmp_path)

    def made(stage, sources, left_out=0, **provenance):
        def build(draft):
            (draft.folder / "file").write_text(stage)
            if stage == "judge":
                counted = Tally()
                counted.add("short", "q", [Finding("right", "number", "")])
                write_json(draft.folder / "summary.json", counted.summary(0).model_dump())
            draft.num_rows, draft.num_dropped, draft.sources = 10, left_out, sources
            draft.provenance = provenance

        return store.produce(Identity.of(stage, 1, {}, {}), build)

    read = made("ingest", {})
    answered = made("generate", {"requests": read.path}, prompt_tokens=30, output_tokens=70, cost=0.5)
    sources = {"outcomes": answered.path, "verdicts": made("judge", {"outcomes": answered.path}).path}
    kept = made("keep", sources, 4, dropped={"no majority": 3, "cut": 1, "none": 0})
    teacher = {"model": {"path": "/models/t"}, "sampling": {}}
    questions = {"name": "q", "file": "q.jsonl", "columns": {"question": "q", "reference": "a"}}
    recipe = {"kind": "distill", "questions": questions, "teacher": teacher}
    candidates = [{"name": "new", "recipe": recipe}, {"name": "plain", "file": "plain.jsonl"}]
    study = parse_study({**STUDY, "candidates": candidates}, "here")
    records = {"new": made("recipe", {"records": kept.path}), "plain": read}
    [funnel] = funnels(store, type("Record", (), {"study": study, "records": records})())
    assert funnel.candidate == "new"
    assert [step.stage for step in funnel.steps] == ["ingest", "generate", "judge", "keep"]
    assert (funnel.steps[1].tokens, funnel.steps[1].cost) == (100, 0.5)
    assert (funnel.steps[3].dropped, funnel.steps[3].reasons) == (4, "no majority 3, cut 1")
    [judged] = funnel.judged
    assert [(one.group, one.kept) for one in judged.groups] == [("all", 1), ("reference: short", 1), ("source: q", 1)]

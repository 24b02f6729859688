"""What a retrieve recipe needs, beside the models of a study: its encoder's batch, and the index of its pool."""

import pytest

from flows.fitting import needs
from flows.planning import plan
from flows.study import Runtime, parse_study
from flows.work import Work
from tasks.core.checkpoint import Checkpoint
from tasks.core.memory import GIB, ModelShape

TINY = ModelShape(
    parameters=1_000_000, active_parameters=1_000_000, largest_module=100_000, layers=2, hidden=64, heads=2,
    head_width=64, mlp_width=128, cache_width=64, vocabulary=1000, positions=512,
)  # fmt: skip
#: A wide encoder: a batch of its longest texts fills a small device.
WIDE = TINY.model_copy(update={"hidden": 4096, "mlp_width": 16_384})
ROWS, QUERIES = 40_000, 30


@pytest.fixture
def folder(tmp_path):
    for name, count in (("pool", ROWS), ("asked", QUERIES)):
        (tmp_path / f"{name}.jsonl").write_text("".join(f'{{"text": "row {n}"}}\n' for n in range(count)))
    (tmp_path / "own.jsonl").write_text("".join(f'{{"question": "{n}+1?", "answer": "2"}}\n' for n in range(300)))
    (tmp_path / "encoder").mkdir()
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / "encoder" / file).write_text("{}")
    return tmp_path


def work(folder, search=None, retrieve=None, host=24):
    recipe = {
        "kind": "retrieve",
        "queries": {"name": "asked", "file": str(folder / "asked.jsonl")},
        "pool": [{"name": "pool", "file": str(folder / "pool.jsonl")}],
        "embed": {"path": str(folder / "encoder")},
        "search": {"kind": "dense", "select": {"k": 5}} | (search or {}),
    }
    declared = {
        "name": "planned",
        "base": {"path": "base"},
        "stage": "pretrain",
        "validated": [{"name": "mix", "weight": 1, "file": str(folder / "asked.jsonl")}],
        "candidates": [{"name": "near", "recipe": recipe}],
        "tokens": 1_000_000,
        "benchmarks": [{"name": "own", "file": str(folder / "own.jsonl"), "kind": "qa", "domain": "math"}],
    }
    settings = {
        "store": folder / "store",
        "embed": {"devices": ["cpu"]},
        "retrieve": retrieve or {},
        "plan": {"host_memory_gib": host},
    }
    base = Checkpoint(folder=folder / "base", digest="b" * 64, tokenizer="t", template="", template_text=None)
    return Work(parse_study(declared, "here"), Runtime.model_validate(settings), base)


def found(folder, planned, encoder=TINY):
    """Return what the encoder and the search need."""
    known = {folder / "base": TINY} | ({folder / "encoder": encoder} if encoder else {})
    by_stage = {need.stage: need for need in needs(planned, known)}
    return by_stage.get("embed"), by_stage["retrieve"]


def test_exact_search_needs_its_queries_and_a_block_whatever_the_pool(folder):
    encoder, search = found(folder, work(folder))
    assert (encoder.name, encoder.fit) == ("encoder", "fits")
    assert encoder.parts["activations"] == pytest.approx(64 * 512 * 4 * (10 * 64 + 3 * 128) / GIB, abs=1e-3)
    assert (search.name, search.fit) == ("near", "fits")
    block = 2 * 16_384 * 64 * 4
    assert search.parts["queries and a block"] == pytest.approx((QUERIES * (64 * 4 + 5 * 24) + block) / GIB, abs=1e-3)


def test_an_index_that_does_not_fit_is_refused_with_the_search_that_does(folder):
    small = work(folder, {"flat_rows": 0}, {"memory_bytes": 30_000_000})
    _, search = found(folder, small, WIDE)
    assert search.parts["index"] > 2 * ROWS * 4096 * 4 / GIB
    assert search.fit == "does not fit"
    assert f"search: {{flat_rows: {ROWS}}}" in search.remedy
    assert found(folder, work(folder, {"flat_rows": 0}), WIDE)[1].fit == "fits"


def test_an_encoder_whose_batch_is_too_large_is_told_one_that_fits(folder):
    encoder, _ = found(folder, work(folder, host=10), WIDE)
    assert (encoder.fit, encoder.remedy[:29]) == ("tight", "it surely fits with embed: {b")
    encoder, _ = found(folder, work(folder, host=1), WIDE)
    assert encoder.fit == "does not fit"


def test_words_are_told_by_the_size_of_the_pools_files(folder):
    encoder, search = found(folder, work(folder, {"kind": "bm25"}), encoder=None)
    assert encoder is None
    assert search.parts["words"] == pytest.approx(34 * (folder / "pool.jsonl").stat().st_size / GIB, abs=1e-3)


def test_what_is_not_known_is_said_to_be_so(folder):
    encoder, search = found(folder, work(folder), encoder=None)
    assert (encoder.fit, search.fit) == ("unknown", "unknown")


def test_a_plan_refuses_what_does_not_fit(folder, monkeypatch):
    shapes = {folder / "base": TINY, folder / "encoder": WIDE}
    monkeypatch.setattr("flows.planning._shapes", lambda work: (shapes, ()))
    refusals = plan(work(folder, {"flat_rows": 0}, {"memory_bytes": 30_000_000})).refusals
    assert [one for one in refusals if one.startswith("retrieve of near: it needs")]

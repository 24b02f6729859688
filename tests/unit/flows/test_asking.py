"""What a study's recipes still ask: the store is followed step by step, and what is there is not asked again."""

import json

import pytest

from flows.asking import asks, readings
from flows.costing import bill
from flows.datasets import records_identity
from flows.fitting import needs
from flows.outline import outline
from flows.planning import plan
from flows.study import Runtime, parse_study
from flows.work import Work
from tasks.core.checkpoint import Checkpoint
from tasks.core.identity import Identity
from tasks.core.memory import ModelShape
from tasks.decontaminate.task import identity as clean_identity
from tasks.dedup.task import identity as dedup_identity
from tasks.embed.encoder_files import find_encoder
from tasks.embed.task import embed_identity
from tasks.generate.task import identity as answers_identity
from tasks.generate.task import teacher_digest
from tasks.judge.task import identity as verdicts_identity
from tasks.judge.task import requests_identity
from tasks.prompt.task import prompt_identity, questions_identity

TINY = ModelShape(
    parameters=1_000_000, active_parameters=1_000_000, largest_module=100_000, layers=2, hidden=64, heads=2,
    head_width=64, mlp_width=128, cache_width=64, vocabulary=1000, positions=512,
)  # fmt: skip
#: Of Qwen2.5-72B's size: one GPU does not hold it.
HUGE = TINY.model_copy(update={"parameters": 72_000_000_000, "active_parameters": 72_000_000_000})
H100 = {"device": "H100", "device_memory_gib": 80, "host_memory_gib": 1000}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": f"row {n}"}) + "\n" for n in range(40)))
    asked = [{"question": f"{n}?", "answer": str(n)} for n in range(300)]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    for name in ("teacher", "reader", "encoder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "tokenizer.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_text(name)
    return tmp_path


def distill(folder, **changes):
    return {
        "kind": "distill",
        "questions": {"name": "asked", "file": str(folder / "rows.jsonl")},
        "teacher": {"model": {"path": str(folder / "teacher")}, "sampling": {}},
    } | changes


def dense(folder):
    rows = {"file": str(folder / "rows.jsonl")}
    return {
        "kind": "retrieve", "queries": {"name": "asked", **rows}, "pool": [{"name": "pool", **rows}],
        "embed": {"path": str(folder / "encoder"), "max_tokens": 64},
    }  # fmt: skip


def work(folder, *recipes, **runtime):
    declared = {
        "name": "planned",
        "base": {"path": "base"},
        "stage": "pretrain",
        "validated": [{"name": "mix", "weight": 1, "file": str(folder / "rows.jsonl")}],
        "candidates": [{"name": f"made-{n}", "recipe": recipe} for n, recipe in enumerate(recipes)],
        "tokens": 1_000_000_000,
        "benchmarks": [{"name": "own", "file": str(folder / "own.jsonl"), "kind": "qa", "domain": "math"}],
        "compare": {"effect": 20.0},
    }
    base = Checkpoint(folder=folder / "base", digest="b" * 64, tokenizer="t", template="", template_text=None)
    settings = {"store": folder / "store", "generate": {"gpus_per_actor": 1}, "plan": H100} | runtime
    return Work(parse_study(declared, "here"), Runtime.model_validate(settings), base)


def put(store, identity, rows=7, **provenance):
    def build(draft):
        (draft.folder / "rows").write_text(str(identity.key))
        draft.num_rows, draft.provenance = rows, provenance

    return store.produce(identity, build)


def ask_teacher(now, *, answered):
    """Put into the store what a distillation goes through up to its requests, or up to its teacher's answers."""
    store, recipe = now.store, now.study.candidates[0].recipe
    items = put(store, now.items_identity())
    records = put(store, records_identity(recipe.questions), 40)
    once = put(store, dedup_identity(recipe.dedup, [records]), 30)
    questions = put(store, questions_identity(put(store, clean_identity(recipe.decontaminate, once, items), 20)), 20)
    requests = put(store, prompt_identity(recipe.prompt, questions), 80)
    if not answered:
        return questions, None
    teacher = answers_identity(recipe.teacher, requests, teacher_digest(recipe.teacher.model))
    facts = {"prompt_tokens": 80, "output_tokens": 80, "seconds": 8.0, "runtime": {"gpus_per_actor": 1}}
    return questions, put(store, teacher, 80, **facts)


def test_what_is_known_of_the_questions_is_no_bound_any_more(folder):
    now = work(folder, distill(folder))
    assert [ask.requests for ask in asks(now)] == [40 * 4]
    ask_teacher(now, answered=False)
    assert [ask.requests for ask in asks(now)] == [80]


def test_problems_made_here_are_asked_about_too(folder):
    """Their shares are keyed by numbers, as the quick start's are."""
    problems = {"kind": "igsm", "problems": {"operations": {2: 1, 3: 1}, "largest": 9}, "count": 50, "seed": "asked"}
    recipe = distill(folder, questions={"name": "asked", "recipe": problems})
    other = recipe | {"questions": {"name": "asked", "recipe": problems | {"seed": "another"}}}
    assert [ask.requests for ask in asks(work(folder, recipe, recipe, other))] == [50 * 4, 50 * 4]


def test_a_teacher_whose_answers_are_all_there_need_not_fit(folder, monkeypatch):
    shapes = {folder / "base": TINY, folder / "teacher": HUGE}
    monkeypatch.setattr("flows.planning._shapes", lambda work: (shapes, ()))
    now = work(folder, distill(folder))
    [refused] = plan(now).refusals
    assert refused.startswith("generate of teacher: it needs")
    ask_teacher(now, answered=True)
    found = plan(now)
    assert found.refusals == () and {need.stage for need in found.needs} == {"anneal", "evaluate"}
    assert "generate" not in {cost.stage for cost in found.bill.costs}


def test_a_teacher_that_is_done_stands_in_nobodys_way_where_another_is_not(folder, monkeypatch):
    shapes = {folder / "base": TINY, folder / "teacher": HUGE, folder / "reader": TINY}
    monkeypatch.setattr("flows.planning._shapes", lambda work: (shapes, ()))
    other = distill(folder, teacher={"model": {"path": str(folder / "reader")}, "sampling": {}})
    now = work(folder, distill(folder), other)
    ask_teacher(now, answered=True)
    found = plan(now)
    assert [need.name for need in found.needs if need.stage == "generate"] == ["reader"]
    assert found.refusals == ()


def test_a_reader_is_asked_what_rules_left_open_and_nothing_where_they_left_nothing(folder):
    reader = {"model": {"path": str(folder / "reader")}, "sampling": {}}
    now = work(folder, distill(folder, reader=reader))
    assert [ask.requests for ask in asks(now)] == [160, 160]
    questions, answers = ask_teacher(now, answered=True)
    recipe = now.study.candidates[0].recipe
    assert [ask.model.model.path for ask in asks(now)] == [str(folder / "reader")]
    verdicts = put(now.store, verdicts_identity(recipe.judge, answers, questions, recipe.prompt.samples))
    left_open = requests_identity(verdicts, answers, questions)
    ref = put(now.store, left_open, 5)
    assert [ask.requests for ask in asks(now)] == [5]
    put(now.store, answers_identity(recipe.reader, ref, teacher_digest(recipe.reader.model)), 5)
    assert asks(now) == []


def test_two_models_of_one_name_are_two(folder):
    path = str(folder / "teacher")
    long, short = ({"model": {"path": path, "max_model_len": length}, "sampling": {}} for length in (32768, 4096))
    hub = {"model": {"hub": path.lstrip("/"), "revision": "a" * 40}, "sampling": {}}
    now = work(folder, distill(folder, teacher=long), distill(folder, teacher=short), distill(folder, teacher=hub))
    found = served(now, folder)
    assert [need.fit for need in found] == ["fits", "fits", "unknown"]
    assert found[0].parts["cache of one request"] > found[1].parts["cache of one request"]
    assert [need.name for need in found[:2]] == [
        f"{path}, bfloat16, context 32768", f"{path}, bfloat16, context 4096",
    ]  # fmt: skip


def test_a_teacher_that_is_opened_otherwise_is_loaded_once(folder):
    plain, opened = (
        {"model": {"path": str(folder / "teacher"), "opening": text}, "sampling": {}} for text in ("", "!")
    )
    now = work(folder, distill(folder, teacher=plain), distill(folder, teacher=opened))
    assert len(asks(now)) == 2
    found = served(now, folder)
    assert [need.name for need in found] == ["teacher"]


def served(now, folder):
    shapes = {folder / "base": TINY, folder / "teacher": TINY}
    return [need for need in needs(now, shapes) if need.stage == "generate"]


def embedded(now, folder):
    found = bill(now, outline(now), {folder / "base": TINY, folder / "encoder": TINY})
    return next((cost for cost in found.costs if cost.stage == "embed"), None)


def test_what_an_encoder_reads_is_on_the_bill(folder):
    now = work(folder, dense(folder), embed={"devices": ["cuda:0"]})
    cost = embedded(now, folder)
    assert (cost.what, cost.basis) == ("encoder, 80 rows", "estimated")
    assert cost.device_hours == pytest.approx(2 * 1_000_000 * 64 * 80 / (0.1 * 989e12) / 3600)
    assert "at most: every row of 64 tokens" in cost.source


def test_what_an_encoder_has_read_is_not_and_tells_how_long_the_rest_takes(folder):
    now = work(folder, dense(folder), embed={"devices": ["cuda:0", "cuda:1"]})
    recipe = now.study.candidates[0].recipe
    encoder = find_encoder(recipe.embed).digest
    queries, pool = (put(now.store, records_identity(one), 40) for one in (recipe.queries, recipe.pool[0]))
    facts = {"seconds": 4.0, "devices": ["cuda:0", "cuda:1"], "shards": {"embedded": 1, "resumed": 0}}
    put(now.store, embed_identity(recipe.embed, queries, encoder), 40, **facts)
    cost = embedded(now, folder)
    assert (cost.what, cost.basis) == ("encoder, 40 rows", "measured")
    assert cost.device_hours == pytest.approx(40 * 2 * 4.0 / 40 / 3600)
    put(now.store, embed_identity(recipe.embed, pool, encoder), 40, **facts)
    assert embedded(now, folder) is None and readings(now) == []


def test_vectors_that_a_kill_cut_off_tell_no_time(folder):
    now = work(folder, dense(folder), embed={"devices": ["cpu"]})
    encoder = find_encoder(now.study.candidates[0].recipe.embed).digest
    facts = {"seconds": 4.0, "devices": ["cpu"], "shards": {"embedded": 1, "resumed": 3}}
    put(now.store, Identity.of("embed", 1, {}, {"rows": "other", "encoder": encoder}), 40, **facts)
    assert embedded(now, folder).basis == "estimated"


def test_a_search_by_words_has_nothing_read(folder):
    recipe = dense(folder) | {"search": {"kind": "bm25"}}
    assert readings(work(folder, recipe)) == []

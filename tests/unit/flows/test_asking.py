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
from tasks.core.errors import StudyError
from tasks.core.identity import Identity
from tasks.core.memory import ModelShape
from tasks.decontaminate.artifact import identity as clean_identity
from tasks.dedup.artifact import identity as dedup_identity
from tasks.embed.artifact import embed_identity
from tasks.embed.encoder_files import find_encoder
from tasks.generate.artifact import identity as answers_identity
from tasks.generate.artifact import teacher_digest
from tasks.judge.artifact import failures_identity, requests_identity
from tasks.judge.artifact import identity as verdicts_identity
from tasks.prompt.artifact import new_problems_identity, prompt_identity, questions_identity
from tasks.retrieve.artifact import bm25_identity

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


def failures(folder, **changes):
    recipe = distill(folder) | {"kind": "failures"}
    return recipe | {"model": recipe.pop("teacher")} | changes


def augment(folder, seeds):
    model = {"model": {"path": str(folder / "teacher")}, "sampling": {}}
    return {"kind": "augment", "seeds": seeds, "writer": model, "solver": model}


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
    clean = put(store, clean_identity(recipe.decontaminate, once, items), 20)
    questions = put(store, questions_identity(clean, needs_reference=True), 20)
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


@pytest.mark.parametrize(("columns", "asked"), [("reference", 2), ("answer", 1)])
def test_who_needs_references_asks_fewer_where_a_row_may_lack_one(folder, columns, asked):
    questions = {
        "name": "asked",
        "file": str(folder / "own.jsonl"),
        "columns": {"question": "question", columns: "answer"},
    }
    by_reference = distill(folder, questions=questions)
    now = work(folder, by_reference, by_reference | {"judge": {"mode": "none"}})
    assert [ask.requests for ask in asks(now)] == [300 * 4] * asked


def test_the_same_questions_are_asked_once_once_they_are_known(folder):
    now = work(folder, *(distill(folder, judge={"mode": mode}) for mode in ("reference", "none")))
    store, recipe = now.store, now.study.candidates[0].recipe
    ask_teacher(now, answered=False)
    once = store.find(dedup_identity(recipe.dedup, [store.find(records_identity(recipe.questions))]))
    clean = store.find(clean_identity(recipe.decontaminate, once, store.find(now.items_identity())))

    def build(draft):  # every question has a reference, so what needs none is the same
        (draft.folder / "rows").write_text(questions_identity(clean, needs_reference=True).key)
        draft.num_rows = 20

    store.produce(questions_identity(clean), build)
    assert [ask.requests for ask in asks(now)] == [80]


def put_failures(now, recipe, found):
    """Put into the store what finding failures goes through, to so many of them."""
    store = now.store
    items = put(store, now.items_identity())
    records = put(store, records_identity(recipe.questions), 40)
    once = put(store, dedup_identity(recipe.dedup, [records]), 40)
    clean = put(store, clean_identity(recipe.decontaminate, once, items), 40)
    questions = put(store, questions_identity(clean, needs_reference=True), 40)
    requests = put(store, prompt_identity(recipe.prompt, questions), 160)
    answers = put(store, answers_identity(recipe.model, requests, teacher_digest(recipe.model.model)), 160)
    verdicts = put(store, verdicts_identity(recipe.judge, answers, questions, recipe.prompt.samples), 160)
    return items, put(store, failures_identity(recipe.wrong, questions, verdicts), found)


def test_what_is_made_of_failures_is_bounded_by_those_that_were_found(folder):
    now = work(folder, augment(folder, failures(folder)))
    assert [ask.requests for ask in asks(now)] == [160, 40, 80]
    put_failures(now, now.study.candidates[0].recipe.seeds, 3)
    assert [ask.requests for ask in asks(now)] == [3, 6]


def test_new_problems_are_no_more_than_were_written_or_made_of_it(folder):
    now = work(folder, augment(folder, failures(folder)))
    recipe, store = now.study.candidates[0].recipe, now.store
    _, failed = put_failures(now, recipe.seeds, 3)
    questions = put(store, questions_identity(failed), 3)
    requests = put(store, prompt_identity(recipe.similar, questions), 3)
    written = put(store, answers_identity(recipe.writer, requests, teacher_digest(recipe.writer.model)), 2)
    assert [ask.requests for ask in asks(now)] == [4]
    put(store, new_problems_identity("made-0", recipe.largest_overlap, questions, written), 1)
    assert [ask.requests for ask in asks(now)] == [2]


def test_what_is_retrieved_is_bounded_by_the_queries_and_then_by_what_was_found(folder):
    pool = {"name": "pool", "file": str(folder / "rows.jsonl")}
    search = {"kind": "bm25", "select": {"k": 5}}
    seeds = {"kind": "retrieve", "queries": failures(folder), "pool": [pool], "search": search}
    now = work(folder, augment(folder, seeds))
    recipe, store = now.study.candidates[0].recipe.seeds, now.store
    assert [ask.requests for ask in asks(now)] == [160, 200, 400]
    _, failed = put_failures(now, recipe.queries, 3)
    assert [ask.requests for ask in asks(now)] == [15, 30]
    tables = {"pool": put(store, records_identity(recipe.pool[0]), 40)}
    put(store, bm25_identity(recipe.search, tables, failed), 9)
    assert [ask.requests for ask in asks(now)] == [9, 18]


def test_a_licence_makes_no_request_another(folder):
    """Of what is asked of a model, and of what an encoder reads; however deep the dataset lies."""
    plain, licensed = (
        {"name": name, "file": str(folder / "rows.jsonl")} | licence
        for name, licence in (("asked", {}), ("asked", {"licence": "MIT"}))
    )
    found = [
        dense(folder) | {"queries": failures(folder, questions=asked), "pool": [asked | {"name": "pool"}]}
        for asked in (plain, licensed)
    ]
    now = work(folder, *(augment(folder, one) for one in found))
    assert len(asks(now)) == 4  # the failures, new problems, and each candidate's own to be solved
    assert len(readings(now)) == 2
    now = work(folder, *found)
    assert (len(asks(now)), len(readings(now))) == (1, 2)
    two = work(folder, *(distill(folder, questions=asked) for asked in (plain, licensed, plain | {"name": "other"})))
    assert len(asks(two)) == 2


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


def test_a_cores_time_is_said_to_be_a_processs(folder):
    for device, said in (("cpu", True), ("cuda:0", False)):
        now = work(folder, dense(folder), embed={"devices": [device]})
        encoder = find_encoder(now.study.candidates[0].recipe.embed).digest
        facts = {"seconds": 4.0, "devices": [device], "shards": {"embedded": 1, "resumed": 0}}
        put(now.store, Identity.of("embed", 1, {"on": device}, {"rows": "other", "encoder": encoder}), 40, **facts)
        cost = embedded(now, folder)
        assert cost.basis == "measured"
        assert ("a device is a process" in cost.source) == said


def test_an_encoder_that_is_no_causal_model_is_of_unknown_size_and_says_why(folder, monkeypatch):
    """DistilBERT, ModernBERT and T5 encode as well as any; what reads sizes builds causal models."""

    def read_shape(where):
        if where.name == "encoder":
            raise StudyError("Unrecognized configuration class", remedy="give a causal language model")
        return TINY

    monkeypatch.setattr("tasks.anneal.model_shape.read_shape", read_shape)
    found = plan(work(folder, dense(folder), embed={"devices": ["cuda:0"]}))
    [cost] = [one for one in found.bill.costs if one.stage == "embed"]
    assert (cost.basis, cost.device_hours) == ("unknown", None)
    assert "size is not known" in cost.source and "not on this machine" not in cost.source
    [warning] = found.warnings
    assert warning.startswith(f"{folder / 'encoder'}: this encoder's size is not known")
    assert "it can encode all the same" in warning


def test_vectors_that_a_kill_cut_off_tell_no_time(folder):
    now = work(folder, dense(folder), embed={"devices": ["cpu"]})
    encoder = find_encoder(now.study.candidates[0].recipe.embed).digest
    facts = {"seconds": 4.0, "devices": ["cpu"], "shards": {"embedded": 1, "resumed": 3}}
    put(now.store, Identity.of("embed", 1, {}, {"rows": "other", "encoder": encoder}), 40, **facts)
    assert embedded(now, folder).basis == "estimated"


def test_a_search_by_words_has_nothing_read(folder):
    recipe = dense(folder) | {"search": {"kind": "bm25"}}
    assert readings(work(folder, recipe)) == []

"""What a plan says of a study: from files and manifests written by hand, and the shapes of models nobody loads."""

import io
import json
import subprocess
from pathlib import Path

import pytest

from flows import insights, machine, planning
from flows.asking import asks
from flows.chances import declared_noise, earlier_scores, items_of
from flows.costing import bill
from flows.counting import rows_of
from flows.fitting import needs
from flows.machine import PlanRuntime, device_for
from flows.outline import outline
from flows.planning import check_worth, plan
from flows.record import RunRecord, StudyRecord
from flows.study import Runtime, parse_study
from flows.work import Work
from tasks.core.checkpoint import Checkpoint
from tasks.core.errors import StudyError
from tasks.core.identity import Identity, canonical
from tasks.core.memory import ModelShape
from tasks.core.store import Store
from tasks.evaluate.config import BenchmarkConfig
from tasks.evaluate.suite import asked_of

#: Qwen2.5-3B and QwQ-32B.
BASE = ModelShape(
    parameters=3_085_938_688, active_parameters=3_085_938_688, largest_module=311_164_928, layers=36, hidden=2048,
    heads=16, head_width=2048, mlp_width=11008, cache_width=512, vocabulary=151_936, positions=32_768,
)  # fmt: skip
TEACHER = ModelShape(
    parameters=32_763_876_352, active_parameters=31_985_308_672, largest_module=778_567_680, layers=64, hidden=5120,
    heads=40, head_width=5120, mlp_width=27648, cache_width=2048, vocabulary=152_064, positions=40_960,
)  # fmt: skip
H100 = {"device": "H100", "device_memory_gib": 80, "host_memory_gib": 1000}
ONE_GPU = {"anneal": {"use_gpu": True, "micro_batch": 1}, "evaluate": {"device": "cuda"}, "plan": H100}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": f"row {n}"}) + "\n" for n in range(40)))
    asked = [{"question": f"{n}?", "answer": str(n), "page": n // 4} for n in range(300)]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "config.json").write_text("{}")
    return tmp_path


@pytest.fixture(autouse=True)
def shapes(folder, monkeypatch):
    known = {folder / "base": BASE, folder / "teacher": TEACHER}
    monkeypatch.setattr(planning, "_shapes", lambda work: (known, ()))
    machine._gpu_here.cache_clear()
    yield known
    machine._gpu_here.cache_clear()


def distill(folder, **sampling):
    return {
        "kind": "distill",
        "questions": {"name": "asked", "file": str(folder / "rows.jsonl")},
        "teacher": {
            "model": {"path": str(folder / "teacher"), "max_model_len": 32_768},
            "sampling": {"max_output_tokens": 1000} | sampling,
        },
    }


def work(folder, runtime=None, **changes):
    rows = str(folder / "rows.jsonl")
    declared = {
        "name": "planned",
        "base": {"path": "base"},
        "stage": "pretrain",
        "validated": [{"name": "mix", "weight": 1, "file": rows}],
        "candidates": [{"name": "new", "file": rows}],
        "tokens": 1_000_000_000,
        "benchmarks": [own(folder)],
    }
    base = Checkpoint(folder=folder / "base", digest="b" * 64, tokenizer="t", template="", template_text=None)
    study = parse_study(declared | changes, "here")
    runtime = {"store": folder / "store", **(runtime or {})}
    runtime["plan"] = {"host_memory_gib": 10_000, **runtime.get("plan", {})}
    return Work(study, Runtime.model_validate(runtime), base)


def own(folder, **changes):
    return {"name": "own", "file": str(folder / "own.jsonl"), "kind": "qa", "domain": "math"} | changes


def costs(found):
    return {cost.stage: cost for cost in found.costs}


def publish(store, stage, config, inputs, num_rows=1, **provenance):
    def build(draft):
        draft.num_rows, draft.provenance = num_rows, provenance

    return store.produce(Identity.of(stage, 1, config, inputs), build)


# -- items ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "count", "clusters"),
    [
        ({"name": "gsm8k"}, 1319, None),
        ({"name": "gsm8k", "limit": 100}, 100, None),
        ({"name": "mmlu"}, 14042, 57),
        ({"name": "mmlu", "subsets": ["abstract_algebra", "anatomy", "astronomy"]}, 739, 3),
        ({"name": "drop"}, 9535, 582),
    ],
)
def test_the_registrys_items_are_known(declared, count, clusters):
    found = items_of(BenchmarkConfig.model_validate(declared))
    assert (found.count, found.clusters) == (count, clusters)


def test_a_file_of_ones_own_is_counted(folder):
    assert items_of(BenchmarkConfig.model_validate(own(folder))).count == 300
    assert items_of(BenchmarkConfig.model_validate(own(folder, limit=1))).count == 2  # a spread takes two
    found = items_of(BenchmarkConfig.model_validate(own(folder, cluster="page", limit=100)))
    assert (found.count, found.clusters) == (100, 25)


# -- what a study can show -----------------------------------------------------------------------------------------


def test_a_study_too_small_for_its_effect_is_refused_and_told_what_would_do(folder):
    small = work(folder, compare={"effect": 2.0})
    found = plan(small)
    assert next(one for one in found.power.chances if one.times == 1).any_primary < 0.2
    with pytest.raises(StudyError) as caught:
        check_worth(small)
    assert "compare.effect" in caught.value.message and "2 points" in caught.value.message
    assert "--anyway" in caught.value.remedy
    assert found.change.kind in ("seeds", "items", None) and found.change.said in caught.value.message


def test_what_is_refused_may_be_run_anyway(folder):
    check_worth(work(folder, {"plan": {"anyway": True}}, compare={"effect": 2.0}))
    check_worth(work(folder, {"plan": {"least_chance": 0.0}}, compare={"effect": 2.0}))


def test_what_has_begun_goes_on(folder, monkeypatch):
    begun = work(folder, compare={"effect": 2.0})
    found = outline(begun)

    def trained(arm):
        name = f"{arm}/seed-{begun.study.seeds[0]}"
        steps = [
            step.model_copy(update={"state": "cached"}) if (step.stage, step.name) == ("anneal", name) else step
            for step in found.steps
        ]
        monkeypatch.setattr(planning, "outline", lambda _: found.model_copy(update={"steps": tuple(steps)}))

    trained(begun.study.candidates[0].name)
    check_worth(begun)
    trained("control")  # that may be another study's
    with pytest.raises(StudyError, match="the chance to see a gain"):
        check_worth(begun)


def test_a_look_is_judged_as_the_whole_study(folder):
    whole = work(folder, seeds=list(range(1, 9)), compare={"looks": [2, 8]})
    look = work(folder, seeds=[1, 2], compare={"looks": [2, 8]})
    assert plan(look).power == plan(whole).power


def test_the_flow_refuses_before_it_reads_anything(folder, monkeypatch):
    from flows import assess

    small = work(folder, compare={"effect": 2.0})
    monkeypatch.setattr(assess, "prepare", lambda study, runtime: small)
    with pytest.raises(StudyError, match=r"compare\.effect"):
        assess.assess.fn(small.study, small.runtime)
    assert list(small.store.root.glob("*")) == []


def test_a_larger_effect_is_worth_looking_for(folder):
    found = plan(work(folder, compare={"effect": 20.0}))
    assert found.refusals == ()
    assert found.change.kind == "nothing"


def test_one_seed_shows_nothing(folder):
    assert plan(work(folder, seeds=[1], compare={"effect": 20.0})).refusals


def test_whole_benchmarks_of_the_registry_have_no_more_items(folder):
    (folder / "data").mkdir()
    (folder / "data" / "aime.jsonl").write_text("{}\n")
    here = {"evaluate": {"data": str(folder)}}
    whole = plan(work(folder, here, benchmarks=[{"name": "aime_2024"}], compare={"effect": 3.0}))
    assert whole.change.kind in ("seeds", None)
    assert "limit" not in whole.change.said
    most = [{"name": "aime_2024", "limit": 20}]  # ten more are not enough
    limited = plan(work(folder, here, benchmarks=most, compare={"effect": 15.0, "planned_training_noise": 0.1}))
    assert limited.power.needed.items_times > 1.5
    assert "limit" not in limited.change.said


def test_a_change_counts_the_guards(folder):
    """Seeing the gain is not enough for `helps`, and the plan says so in words and in figures."""
    guarded = work(
        folder, benchmarks=[own(folder), own(folder, name="facts", domain="knowledge")], compare={"effect": 5}
    )
    found = plan(guarded)
    helps = found.helps
    made = {"seeds": helps.with_seeds, "items": helps.with_items}[found.change.kind]
    assert found.change.helps == made < 0.3
    assert f'and say "helps" in {100 * made:.0f} %' in found.change.said
    alone = plan(work(folder, compare={"effect": 5.0}))
    assert alone.helps is None and alone.change.helps is None and "helps" not in alone.change.said
    said = printed(found)
    assert "no guard stands in its way in" in said and "knowledge as a whole" in said
    assert f"domain_margins: {{knowledge: {helps.margins['knowledge']:g}}}" in said


def test_noise_is_the_studys_or_a_default_called_so(folder):
    assert declared_noise(work(folder).study.compare).source == "default"
    declared = work(folder, compare={"planned_training_noise": 0.5}).study.compare
    assert (declared_noise(declared).source, declared_noise(declared).points) == ("the study", 0.5)


def record(store, study, base, accuracy, study_hash="h" * 64):
    """Publish the record of a finished study with these accuracies, in percent, by (arm, seed)."""
    runs = []
    for (arm, seed), percent in accuracy.items():
        scores = publish(store, "evaluate", {"of": [arm, seed]}, {}, num_rows=300, accuracy=percent)
        runs.append(RunRecord(arm=arm, seed=seed, plan=scores, model=scores, scores={"own": scores}))
    found = StudyRecord(
        study=study, study_hash=study_hash, base=base, machine="here", records={}, packs={}, runs=tuple(runs),
        comparison=runs[0].plan,
    )  # fmt: skip
    store.produce(
        Identity.of("study", 1, {"name": "earlier"}, {}),
        lambda draft: (draft.folder / "study.json").write_text(found.model_dump_json()) and None,
    )


def test_noise_of_earlier_studies_comes_first(folder):
    now = work(folder, seeds=[1, 2, 3], compare={"planned_training_noise": 0.5})
    noisy = {("control", 1): 50.0, ("control", 2): 60.0, ("control", 3): 40.0}
    noisy |= {("new", 1): 60.0, ("new", 2): 40.0, ("new", 3): 50.0}
    record(now.store, now.study, now.base, noisy)
    tables, warnings = earlier_scores(now)
    assert [(one.benchmark, one.n_items) for one in tables] == [("own", 300)] and warnings == ()
    noise = plan(now).power.noise
    assert "earlier studies" in noise.source
    # Differences of 10, -20 and 10 points over seeds have a spread of 17.3; less sqrt(400/300) for answers that flip.
    assert noise.points == pytest.approx((300 - 400 / 300) ** 0.5, abs=0.01)


def test_a_look_that_was_not_declared_is_warned_of(folder):
    look = work(folder, seeds=[1, 2])
    accuracy = {(arm, seed): 50.0 for arm in ("control", "new") for seed in (1, 2)}
    record(look.store, look.study, look.base, accuracy, look.study_hash())
    [warning] = plan(work(folder, seeds=[1, 2, 3, 4])).warnings
    assert "looked at with 2 of its 4 seeds" in warning
    others = (
        {"seeds": [1, 2]},
        {"seeds": [1, 2, 3], "compare": {"looks": [2, 3]}},
        {"seeds": [1, 2, 3], "name": "new"},
    )
    assert [earlier_scores(work(folder, **changes))[1] for changes in others] == [()] * 3


def test_studies_of_another_base_say_nothing(folder):
    now = work(folder, seeds=[1, 2])
    other = now.base.model_copy(update={"digest": "c" * 64})
    record(now.store, now.study, other, {(arm, seed): 50.0 for arm in ("control", "new") for seed in (1, 2)})
    assert earlier_scores(now) == ([], ())


def test_a_record_of_another_version_is_named_and_does_no_harm(folder):
    now = work(folder)
    now.store.produce(
        Identity.of("study", 1, {}, {}), lambda draft: (draft.folder / "study.json").write_text("{}") and None
    )
    _, [warning] = earlier_scores(now)
    assert "another version" in warning


def test_a_candidate_without_filters_is_told_where_filters_are_asked_about(folder):
    taught = {"name": "taught", "recipe": distill(folder)}
    plain = {"name": "plain", "file": str(folder / "rows.jsonl")}
    found = plan(work(folder, candidates=[taught, plain], attribute_filters=True)).outline
    assert "plain: attribute_filters has nothing to leave out, since no recipe with a filter made it" in found.warnings
    assert not any("taught: attribute_filters" in warning for warning in found.warnings)
    asked = plan(work(folder, candidates=[taught, plain])).outline.warnings
    assert not any("attribute_filters" in warning for warning in asked)


# -- what it costs -------------------------------------------------------------------------------------------------


def test_an_anneals_hours_are_reckoned_from_the_devices_peak(folder):
    planned = work(folder, ONE_GPU | {"plan": H100 | {"hour_price": 2.0, "utilisation": 0.4}})
    found = bill(planned, outline(planned), {folder / "base": BASE})
    anneal = costs(found)["anneal"]
    tokens = 10 * planned.study.sequences * 4096
    assert anneal.tokens == tokens
    assert anneal.device_hours == pytest.approx(6 * BASE.active_parameters * tokens / (0.4 * 989e12) / 3600)
    assert anneal.money == pytest.approx(2 * anneal.device_hours)
    assert anneal.basis == "estimated" and "H100" in anneal.source
    assert found.seed_hours == pytest.approx((anneal.device_hours + costs(found)["evaluate"].device_hours) / 5)


def test_a_device_that_nobody_knows_costs_nobody_knows_what(folder):
    planned = work(folder, {"anneal": {"use_gpu": True}, "plan": {"device": "Nobody's"}})
    found = bill(planned, outline(planned), {folder / "base": BASE})
    assert costs(found)["anneal"].basis == "unknown"
    assert found.device_hours is None and found.money is None


def test_earlier_anneals_and_scores_are_measured(folder):
    planned = work(folder, seeds=[1, 2])
    store, benchmark = planned.store, planned.study.benchmarks[0]
    trained = publish(
        store, "anneal", {"config": planned.study.anneal, "seed": 9}, {"base": planned.base.digest},
        tokens=1000, training_seconds=2.0, runtime={"workers": 4, "use_gpu": False},
    )  # fmt: skip
    asked = canonical(asked_of(benchmark, planned.study.evaluate))
    inputs = {"model": trained.digest}
    publish(store, "evaluate", {"benchmark": asked, "engine": "transformers"}, inputs, num_rows=300, seconds=30.0)
    found = costs(bill(planned, outline(planned), {folder / "base": BASE}))
    assert {one.basis for one in found.values()} == {"measured"}
    assert found["anneal"].device_hours == pytest.approx(found["anneal"].tokens * 4 * 2.0 / 1000 / 3600)
    assert found["evaluate"].device_hours == pytest.approx(4 * 300 * 0.1 / 3600)


def test_a_teachers_answers_are_counted_at_their_longest(folder):
    priced = {"generate": {"gpus_per_actor": 1, "device_price": 3.0}}
    planned = work(folder, ONE_GPU | priced, candidates=[{"name": "taught", "recipe": distill(folder)}])
    [ask] = asks(planned)
    assert ask.requests == 40 * 4
    found = costs(bill(planned, outline(planned), {folder / "base": BASE, folder / "teacher": TEACHER}))["generate"]
    assert found.tokens == 160 * (1000 + 256)
    assert found.device_hours == pytest.approx(2 * TEACHER.active_parameters * found.tokens / (0.1 * 989e12) / 3600)
    assert found.money == pytest.approx(3 * found.device_hours)
    assert "at most" in found.source


def test_two_candidates_that_ask_the_same_ask_once(folder):
    recipe = distill(folder)
    other = recipe | {"keep": {"answers": "original"}}
    both = [{"name": "taught", "recipe": recipe}, {"name": "original", "recipe": other}]
    assert len(asks(work(folder, candidates=both))) == 1


def test_a_recipe_asks_at_most_so_much(folder):
    asked = {"name": "asked", "file": str(folder / "rows.jsonl")}
    model = {"model": {"path": str(folder / "teacher")}, "sampling": {}}
    failures = {"kind": "failures", "questions": asked, "model": model}
    near = {"kind": "retrieve", "queries": failures, "pool": [asked], "search": {"kind": "bm25", "select": {"k": 5}}}
    alike = {"kind": "augment", "seeds": near, "writer": model, "similar": {"samples": 3}, "solver": model}

    def counts(recipe):
        return [ask.requests for ask in asks(work(folder, candidates=[{"name": "made", "recipe": recipe}]))]

    assert counts(failures) == [40 * 4]
    assert counts(near) == [40 * 4]
    assert counts(alike) == [40 * 4, 40 * 5 * 3, 40 * 5 * 3 * 2]


def test_questions_of_a_hub_are_not_counted_before_they_are_read(folder):
    recipe = distill(folder) | {"questions": {"name": "asked", "hub": {"id": "owner/name", "revision": "a" * 40}}}
    planned = work(folder, candidates=[{"name": "taught", "recipe": recipe}])
    found = costs(bill(planned, outline(planned), {folder / "base": BASE}))["generate"]
    assert (found.basis, found.tokens, found.device_hours) == ("unknown", None, None)


def test_an_endpoints_tokens_have_a_price_and_no_hours(folder):
    recipe = distill(folder) | {
        "teacher": {"model": {"engine": "openai", "endpoint_model": "m"}, "sampling": {"max_output_tokens": 100}}
    }
    priced = {"generate": {"base_url": "http://here", "prompt_price": 1.0, "output_price": 10.0}}
    planned = work(folder, priced, candidates=[{"name": "taught", "recipe": recipe}])
    found = costs(bill(planned, outline(planned), {folder / "base": BASE}))["generate"]
    assert found.device_hours == 0
    assert found.money == pytest.approx(160 * (256 * 1 + 100 * 10) / 1e6)


def test_rows_are_counted_without_reading_them_all(folder, monkeypatch):
    rows = work(folder).study.candidates[0]
    store = Store(folder / "empty")
    assert rows_of(rows, store) == 40
    monkeypatch.setattr("flows.counting._PEEK_BYTES", 100)
    assert rows_of(rows, store) == pytest.approx(40, abs=6)


# -- what it needs -------------------------------------------------------------------------------------------------


def need(found, stage):
    return next(one for one in found if one.stage == stage)


def test_what_does_not_fit_is_refused_with_the_settings_that_do(folder):
    planned = work(folder, {**ONE_GPU, "anneal": {"use_gpu": True}}, compare={"effect": 20.0})
    found = need(needs(planned, {folder / "base": BASE}), "anneal")
    assert found.fit == "does not fit" and "micro_batch" in found.remedy
    with pytest.raises(StudyError, match="GiB of a device that has 80") as caught:
        check_worth(planned)
    assert found.remedy in caught.value.message
    settings = planned.runtime.model_dump() | {"anneal": ONE_GPU["anneal"] | remedied(found.remedy)}
    again = need(needs(work(folder, settings), {folder / "base": BASE}), "anneal")
    assert again.fit == "fits"


def test_what_is_offloaded_needs_a_host_that_has_room(folder):
    anneal = {"use_gpu": True, "micro_batch": 1, "zero_stage": 2, "offload": True}
    roomy, narrow = (
        need(needs(work(folder, {"anneal": anneal, "plan": H100 | {"host_memory_gib": gib}}), shapes), "anneal")
        for gib, shapes in ((1000, {folder / "base": BASE}), (32, {folder / "base": BASE}))
    )
    assert (roomy.fit, narrow.fit) == ("fits", "does not fit")
    assert roomy.host_gib == narrow.host_gib > 32


def remedied(remedy):
    import yaml

    return yaml.safe_load(remedy.removeprefix("it fits with "))["anneal"]


def test_a_teacher_that_needs_two_gpus_says_so(folder):
    runtime = ONE_GPU | {"generate": {"gpus_per_actor": 1}}
    planned = work(folder, runtime, candidates=[{"name": "taught", "recipe": distill(folder)}])
    found = need(needs(planned, {folder / "base": BASE, folder / "teacher": TEACHER}), "generate")
    assert found.fit == "does not fit"
    assert found.remedy == "it fits with generate: {tensor_parallel: 2, gpus_per_actor: 2}"
    split = runtime | {"generate": {"gpus_per_actor": 2, "tensor_parallel": 2}}
    planned = work(folder, split, candidates=[{"name": "taught", "recipe": distill(folder)}])
    found = need(needs(planned, {folder / "base": BASE, folder / "teacher": TEACHER}), "generate")
    assert found.fit == "fits" and "requests of the whole context" in found.remedy


def test_a_teacher_whose_config_is_elsewhere_is_not_known(folder):
    recipe = distill(folder)
    recipe["teacher"]["model"] = {"hub": "owner/name", "revision": "a" * 40}
    planned = work(folder, candidates=[{"name": "taught", "recipe": recipe}])
    assert need(needs(planned, {folder / "base": BASE}), "generate").fit == "unknown"


def test_a_gpu_that_is_neither_declared_nor_here_is_not_judged(folder, monkeypatch):
    monkeypatch.setattr("flows.machine.shutil.which", lambda name: None)
    planned = work(folder, {"anneal": {"use_gpu": True}})
    assert need(needs(planned, {folder / "base": BASE}), "anneal").fit == "unknown"


def test_declared_devices_come_before_those_that_are_here():
    declared = PlanRuntime(device="A100", device_memory_gib=40, host_memory_gib=500)
    device = device_for(declared, gpu=True)
    assert (device.name, device.memory, device.host, device.peak) == ("A100", 40 * 2**30, 500 * 2**30, 312e12)
    core = device_for(PlanRuntime(host_memory_gib=8), gpu=False)
    assert (core.gpu, core.memory) == (False, 8 * 2**30) and core.peak > 1e8


def test_the_smallest_gpu_that_is_here_counts(monkeypatch):
    said = subprocess.CompletedProcess([], 0, stdout="NVIDIA H100 80GB HBM3, 81559\nNVIDIA L4, 23034\n", stderr="")
    monkeypatch.setattr("flows.machine.shutil.which", lambda name: name)
    monkeypatch.setattr("flows.machine.subprocess.run", lambda *given, **options: said)
    device = device_for(PlanRuntime(), gpu=True)
    assert (device.name, device.memory, device.peak) == ("NVIDIA L4", 23034 * 2**20, 121e12)


# -- all of it -----------------------------------------------------------------------------------------------------


def test_what_scripts_read_is_the_outline_and_the_rest_beside_it(folder):
    found = plan(work(folder)).for_scripts()
    assert {"steps", "anneals", "tokens", "evaluations", "power", "bill", "needs", "change", "refusals"} <= set(found)
    assert json.loads(json.dumps(found)) == found
    assert found["power"]["helps"] is None and "helps" not in found
    guarded = work(folder, benchmarks=[own(folder), own(folder, name="facts", domain="knowledge")])
    assert set(plan(guarded).for_scripts()["power"]["helps"]["in_the_way"]) == {"facts", "knowledge as a whole"}


def test_what_a_report_shows_of_power_leaves_out_what_takes_long(folder, monkeypatch):
    guarded = work(folder, benchmarks=[own(folder), own(folder, name="facts", domain="knowledge")])
    monkeypatch.setattr("flows.chances.helps_plan", lambda *given: pytest.fail("the report does not say it"))
    monkeypatch.setattr(insights, "publish_ledgers", lambda *given: {})
    monkeypatch.setattr(insights, "publish_card", lambda *given: None)
    shown = insights.insights(guarded, record=None).power
    assert [one.benchmark for one in shown.benchmarks] == ["own", "facts"] and "helps" not in shown.model_dump()


def test_a_report_says_that_its_noise_is_not_of_earlier_studies(folder, monkeypatch):
    now = work(folder, seeds=[1, 2, 3])
    noisy = {
        (arm, seed): 50.0 + (seed if arm == "new" else -4 * seed) for arm in ("control", "new") for seed in (1, 2, 3)
    }
    record(now.store, now.study, now.base, noisy)
    assert "earlier studies" in plan(now).power.noise.source
    monkeypatch.setattr(insights, "publish_ledgers", lambda *given: {})
    monkeypatch.setattr(insights, "publish_card", lambda *given: None)
    noise = insights.insights(now, record=None).power.noise
    assert noise.points == 1 and noise.source.startswith("default; earlier studies of the store")


def printed(found):
    from rich.console import Console

    from flows.plan_tables import plan_view

    console = Console(width=400, record=True, file=io.StringIO())
    console.print(plan_view(found))
    return console.export_text()


def test_a_person_reads_all_of_it(folder):
    said = printed(plan(work(folder, {**ONE_GPU, "anneal": {"use_gpu": True}})))
    for part in (
        "smallest",
        "Training noise: 1 points, from default",
        "device-hours",
        "does not fit",
        "refused",
    ):
        assert part in said


def test_the_fixtures_shapes_are_those_of_the_configs():
    models = Path(__file__).parents[2] / "data" / "models"
    for name, shape in (("qwen2.5-3b", BASE), ("qwen2.5-32b", TEACHER)):
        config = json.loads((models / name / "config.json").read_text())
        assert (shape.layers, shape.hidden) == (config["num_hidden_layers"], config["hidden_size"])

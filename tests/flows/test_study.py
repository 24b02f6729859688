"""Studies carried out whole: Prefect, Ray, DeepSpeed, OpenCompass and MLflow, all real."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from small_study import CODES, lessons, make_small_study, write_jsonl

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def finished(tmp_path_factory, prefect_api, blank):
    """The small study, carried out once without a fault."""
    study = make_small_study(tmp_path_factory.mktemp("finished"), prefect_api, blank)
    done = study.assay("run", study.file)
    assert done.returncode == 0, done.stderr[-4000:]
    return study


def verdicts(shown):
    return {candidate["name"]: candidate["verdict"] for candidate in shown["candidates"]}


def deltas(shown):
    return {candidate["name"]: candidate["deltas"] for candidate in shown["candidates"]}


def test_the_verdicts_follow_from_the_data(finished):
    shown = finished.json("show", "small")
    assert verdicts(shown)["right"] == "helps"
    assert verdicts(shown)["wrong"] != "helps"
    [delta] = deltas(shown)["right"]
    assert delta["delta"] > 50 and delta["low"] > 0
    assert (delta["benchmark"], delta["n_items"], delta["n_seeds"]) == ("codes", 60, 2)


def test_show_prints_what_scripts_were_promised(finished):
    shown = finished.json("show", "small")
    assert {"study", "report", "candidates"} <= shown.keys()
    for candidate in shown["candidates"]:
        assert {"name", "verdict", "deltas", "tokens", "seconds"} <= candidate.keys()
        for delta in candidate["deltas"]:
            assert {"benchmark", "metric", "delta", "low", "high", "n_items", "n_seeds"} <= delta.keys()
        assert candidate["tokens"] > 0.9 * 2 * 100 * 4 * 128
        assert candidate["seconds"] > 0
    page = Path(shown["report"]).read_text(encoding="utf-8")
    assert "helps" in page and "<svg" in page and "http://" not in page.replace("http://www.w3.org", "")


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_everything_is_in_mlflow(finished):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{next((finished.folder / 'store').rglob('mlflow*.db'))}")
    [experiment] = [e for e in client.search_experiments() if e.name == "assay"]
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    measured = [run for run in runs if "delta/codes" in run.data.metrics]
    assert {run.data.tags["candidate"]: run.data.tags["verdict"] for run in measured} == verdicts(
        finished.json("show", "small")
    )
    arms = [run for run in runs if run.data.params.get("seed")]
    assert len(arms) == 6
    assert all("loss" in run.data.metrics for run in arms)


def test_a_second_run_does_no_work(finished):
    before, started = finished.artifacts(), time.monotonic()
    shown = finished.json("run", finished.file)
    seconds = time.monotonic() - started
    assert finished.artifacts() == before
    assert deltas(shown) == deltas(finished.json("show", "small"))
    assert seconds < 20  # the figure is in tests/benchmarks; this only says that no engine was started


def test_a_plan_of_a_finished_study_has_nothing_to_run(finished):
    plan = finished.json("plan", finished.file)
    assert {step["state"] for step in plan["steps"]} == {"cached"}
    assert (plan["anneals"], plan["tokens"], plan["evaluations"]) == (0, 0, 0)
    assert plan["total_anneals"] == 6


def test_a_plan_of_more_seeds_goes_by_what_was_measured(finished, tmp_path):
    declared = yaml.safe_load(finished.file.read_text()) | {"seeds": [1, 2, 3]}
    more = finished.folder / "more.yaml"
    more.write_text(yaml.safe_dump(declared))
    plan = finished.json("plan", more)
    assert {cost["stage"]: cost["basis"] for cost in plan["bill"]["costs"]} == {
        "anneal": "measured", "evaluate": "measured",
    }  # fmt: skip
    assert 0 < plan["bill"]["device_hours"] < 0.1
    assert "earlier studies" in plan["power"]["noise"]["source"]
    assert {need["fit"] for need in plan["needs"]} == {"fits"}
    assert plan["refusals"] == []


def test_a_hopeless_study_is_refused_before_anything_starts(finished):
    declared = yaml.safe_load(finished.file.read_text()) | {"compare": {"effect": 1.0}, "seeds": [8, 9]}
    hopeless = finished.folder / "hopeless.yaml"
    hopeless.write_text(yaml.safe_dump(declared))
    done = finished.assay("run", hopeless, store="empty")
    assert done.returncode == 2
    assert "compare.effect" in done.stderr and "--anyway" in done.stderr
    assert finished.artifacts(store="empty") == {}


def test_other_workers_rerun_nothing(finished, tmp_path):
    runtime = tmp_path / "runtime.yaml"
    runtime.write_text(yaml.safe_dump({"anneal": {"workers": 2, "zero_stage": 2}, "evaluate": {"processes": 1}}))
    before = finished.artifacts()
    plan = finished.json("plan", finished.file, "--runtime", runtime)
    assert {step["state"] for step in plan["steps"]} == {"cached"}
    finished.json("run", finished.file, "--runtime", runtime)
    assert finished.artifacts() == before


def test_editing_one_candidate_reruns_its_branch_only_and_changes_its_verdict(finished):
    """No result is written down anywhere: other data, another verdict."""
    before, kept = finished.artifacts(), (finished.folder / "wrong.jsonl").read_text()
    verdict = verdicts(finished.json("show", "small"))
    write_jsonl(finished.folder / "wrong.jsonl", lessons(CODES["right"], 240, start=5000))
    try:
        plan = finished.json("plan", finished.file)
        shown = finished.json("run", finished.file)
        after = finished.artifacts()
    finally:  # and back again, from the store
        (finished.folder / "wrong.jsonl").write_text(kept)
        back = finished.json("run", finished.file)
    assert {step["name"].split("/")[0] for step in plan["steps"] if step["state"] != "cached"} == {"wrong", "small"}
    new = sorted(path.split("/")[0] for path in set(after) - set(before))
    trained = ["plan", "anneal", "evaluate", "regrade"] * 2
    branch = ["ingest", "pack", "overlap", *trained, "compare", "study", "nearest", "ledger", "report"]
    assert new == sorted(branch)
    assert all(after[path] == made for path, made in before.items())
    assert verdict["wrong"] != "helps"
    assert verdicts(shown) == {"right": "helps", "wrong": "helps"}
    assert verdicts(back) == verdict
    assert finished.artifacts() == after


def test_a_fault_behind_the_comparison_loses_no_verdict(finished, tmp_path):
    """The index of nearest rows gets no memory: exit code 5, with the report there, the reason in it."""
    kept = shutil.ignore_patterns("nearest", "ledger", "report", ".studies")
    shutil.copytree(finished.folder / "store", finished.folder / "narrow", ignore=kept)
    runtime = tmp_path / "runtime.yaml"
    runtime.write_text(yaml.safe_dump({"retrieve": {"memory_bytes": 1}}))
    done = finished.assay("run", finished.file, "--runtime", runtime, store="narrow")
    assert done.returncode == 5 and "not what was fixed and what was broken" in done.stderr
    shown = finished.json("show", "small", store="narrow")
    assert verdicts(shown) == verdicts(finished.json("show", "small"))
    page = Path(shown["report"])
    assert "What was fixed and what was broken is not shown" in page.read_text(encoding="utf-8")
    whole = Path(finished.json("run", finished.file, store="narrow")["report"])
    assert whole != page and "is not shown" not in whole.read_text(encoding="utf-8")


def test_seeds_are_added_until_it_is_clear(finished):
    """Two seeds are there already; the third is trained only if the first look does not settle it."""
    before = finished.artifacts()
    study = yaml.safe_load(finished.file.read_text()) | {"name": "looked", "seeds": [1, 2, 3]}
    file = finished.folder / "looked.yaml"
    file.write_text(yaml.safe_dump(study))
    done = finished.assay("run", file, "--until-clear", "--json")
    assert done.returncode == 0, done.stderr[-4000:]
    shown, looks = json.loads(done.stdout), done.stderr.count("of 3 seeds: ")
    [delta] = deltas(shown)["right"]
    assert delta["n_seeds"] == looks + 1 and looks in (1, 2)
    assert verdicts(shown)["right"] == "helps"
    after = finished.artifacts()
    assert all(after[path] == made for path, made in before.items())
    trained = [path for path in after.keys() - before.keys() if path.startswith("anneal/")]
    assert len(trained) == (0 if looks == 1 else 3)


def test_a_row_is_traced_from_its_file_to_the_verdict(finished):
    import pyarrow.parquet as pq

    paths = sorted((finished.folder / "store").glob("ingest/*/rows-00000.parquet"))
    rows = [row for path in paths for row in pq.read_table(path).to_pylist() if row["source"] == "right"]
    events = finished.json("trace", rows[0]["row_id"])
    assert [event["stage"] for event in events][:2] == ["ingest", "pack"]
    told = " ".join(event["what"] for event in events)
    assert "right.jsonl:1" in told and "right/seed-1" in told and "helps" in told and "codes: " in told
    assert finished.assay("trace", "no-such-row").returncode == 3


# A driver killed while it anneals is in test_anneal.py too, so here only before a release.
@pytest.mark.parametrize("stage", [pytest.param("anneal", marks=pytest.mark.slow), "evaluate"])
def test_a_killed_study_goes_on_where_it_was(finished, stage):
    """SIGKILL while `stage` is at work; run again, it has the same deltas, and nothing finished was done twice."""
    store = f"killed-{stage}"
    if stage == "evaluate":  # from the trained models on
        made = shutil.ignore_patterns("evaluate", "regrade", "compare", "study", "nearest", "ledger", "report", ".*")
        shutil.copytree(finished.folder / "store", finished.folder / store, ignore=made)
    runtime = finished.folder / "checkpoints.yaml"
    runtime.write_text("anneal: {checkpoint_every: 20}")  # of 100 steps

    def at_work():
        midway = stage != "anneal" or list((finished.folder / store).glob(".work/anneal-*/checkpoints/*/COMMIT"))
        return midway and finished.artifacts(stage, store=store)

    victim = subprocess.Popen(
        finished.command("run", finished.file, "--runtime", runtime, store=store),
        env=finished.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while not at_work() and time.monotonic() < deadline and victim.poll() is None:
        time.sleep(0.02)
    os.kill(victim.pid, signal.SIGKILL)
    assert victim.wait(timeout=30) == -signal.SIGKILL, "the study ended before it could be killed"
    before = finished.artifacts(store=store)
    assert 1 <= len(finished.artifacts(stage, store=store)) < 6
    assert not finished.artifacts("compare", store=store)

    shown = finished.json("run", finished.file, "--runtime", runtime, store=store)
    after = finished.artifacts(store=store)
    assert all(after[path] == made for path, made in before.items())
    assert deltas(shown) == deltas(finished.json("show", "small"))


def test_a_wrong_study_stops_before_anything_starts(small_study):
    study = yaml.safe_load(small_study.file.read_text())
    study["candidates"][0]["columns"] = {"question": "problem", "answer": "solution"}
    small_study.file.write_text(yaml.safe_dump(study))
    done = small_study.assay("run", small_study.file)
    assert done.returncode == 2
    assert "candidates.right: right: no column problem, solution" in done.stderr
    assert "the first rows have answer, question" in done.stderr
    assert not small_study.artifacts()


def test_a_candidate_that_would_repeat_too_often_is_refused(small_study):
    study = yaml.safe_load(small_study.file.read_text())
    study["max_epochs"] = 0.1
    small_study.file.write_text(yaml.safe_dump(study))
    done = small_study.assay("run", small_study.file)
    assert done.returncode == 2
    assert "candidates.right" in done.stderr and "max_epochs" in done.stderr
    assert not small_study.artifacts("anneal")


def test_the_flow_takes_the_study_as_a_typed_parameter():
    """What the Prefect UI makes its form from."""
    from flows.assess import assess

    schema = json.loads(json.dumps(assess.parameters.model_dump()))
    assert schema["required"] == ["study"]
    assert {"base", "validated", "candidates", "seeds", "tokens"} <= set(schema["definitions"]["Study"]["properties"])
    assert "zero_stage" in schema["definitions"]["AnnealRuntime"]["properties"]

"""The shipped studies are planned as they stand, and copied once; their shapes are given, nothing is trained."""

import json
import shutil

import pytest
import yaml

from flows import planning, quickstart
from flows.planning import plan
from flows.quickstart import SHIPPED, Making
from flows.study import Runtime, load_study
from flows.work import Work
from tasks.core.checkpoint import Checkpoint
from tasks.core.errors import StudyError
from tasks.core.memory import ModelShape

#: The tiny model of making.yaml, about.
TINY = ModelShape(
    parameters=655_488, active_parameters=655_488, largest_module=65_536, layers=3, hidden=128, heads=4, head_width=32,
    mlp_width=384, cache_width=128, vocabulary=512, positions=512,
)  # fmt: skip


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout's studies with `demo/` as `make demo` leaves it, but for what it trains."""
    studies, demo = tmp_path / "deployments" / "studies", tmp_path / "demo"
    shutil.copytree(SHIPPED.parent, studies)
    shutil.copytree(SHIPPED, demo)
    making = Making.model_validate(yaml.safe_load((demo / "making.yaml").read_text()))
    for name, held_out in making.held_out.items():
        rows = [{"question": f"{n} and none?", "answer": str(n)} for n in range(held_out.count)]
        (demo / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for model in ("base", "teacher"):
        (demo / model).mkdir()
        (demo / model / "config.json").write_text("{}")
    known = {demo / model: TINY for model in ("base", "teacher")}
    monkeypatch.setattr(planning, "_shapes", lambda work: (known, ()))
    return tmp_path


@pytest.mark.parametrize("shipped", ["demo/study.yaml", "deployments/studies/distilled/study.yaml"])
def test_a_shipped_study_is_worth_running_and_fits(checkout, shipped):
    study = load_study(checkout / shipped)
    demo = checkout / "demo"
    base = Checkpoint(folder=demo / "base", digest="b" * 64, tokenizer="t", template="", template_text=None)
    runtime = yaml.safe_load((demo / "runtime.yaml").read_text())
    found = plan(Work(study, Runtime.model_validate(runtime | {"store": checkout / "store"}), base))
    assert found.refusals == () and found.warnings == ()
    anneals = [step.name for step in found.outline.steps if step.stage == "anneal"]
    assert sorted(anneals) == sorted(f"{arm}/seed-{seed}" for arm in study.arms for seed in study.seeds)
    asked = [cost for cost in found.bill.costs if cost.stage == "generate"]
    assert len(asked) == 1, "one teacher, asked once, whatever its answers serve"
    json.loads(found.model_dump_json())


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """Lay the demo into a folder, but for what it trains."""
    monkeypatch.setattr(quickstart, "make_models", lambda *_: None)
    folder = tmp_path / "demo"

    def make():
        quickstart.quickstart(folder, Runtime(store=tmp_path / "store"))
        return folder

    return make


def test_a_demo_that_is_there_is_kept_and_what_differs_from_the_shipped_one_is_named(demo, capsys):
    folder = demo()
    assert "differs" not in capsys.readouterr().err
    (folder / "study.yaml").write_text((folder / "study.yaml").read_text() + "# mine\n")
    making = (folder / "making.yaml").read_text()
    (folder / "making.yaml").write_text(making.replace("count: 300, seed: held-out", "count: 200, seed: held-out"))
    demo()
    told = " ".join(capsys.readouterr().err.split())
    for name in ("study.yaml", "making.yaml"):
        assert f"{folder / name} differs from the shipped one and is kept" in told
    assert f"{folder / 'one-step.jsonl'} differs from what {folder / 'making.yaml'} now asks for and is kept" in told
    assert told.count("differs") == 3 and f"delete {folder} to start anew" in told
    assert (folder / "study.yaml").read_text().endswith("# mine\n")
    assert len((folder / "one-step.jsonl").read_text().splitlines()) == 300


def test_a_mistake_in_making_yaml_is_named_with_its_field(demo):
    folder = demo()
    making = (folder / "making.yaml").read_text()
    (folder / "making.yaml").write_text(making.replace("tokens: 1209600", "tokens: many"))
    with pytest.raises(StudyError, match=r"making.yaml makes no sense(?s:.*)base\.tokens: "):
        demo()

"""Tracking with a real MLflow: what is found there, and what happens when it is not there."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ports import free_port

from tasks.core.store import Store
from tasks.track.config import TrackConfig, TrackedStudy, TrackOutcome
from tasks.track.entries import study_entries
from tasks.track.mlflow import MlflowTracker
from tasks.track.replay import record, replay_all
from tasks.track.task import track_study

pytestmark = [
    pytest.mark.engine,
    # MLflow, its database layer and what it imports warn about each other.
    pytest.mark.filterwarnings("default"),
]


def _shared() -> Any:
    """The study that the unit tests track."""
    path = Path(__file__).parents[1] / "unit" / "track" / "conftest.py"
    spec = importlib.util.spec_from_file_location("track_samples", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def study(store: Store) -> TrackedStudy:
    made: TrackedStudy = _shared().make_study(store)
    return made


def track(store: Store, study: TrackedStudy, **config: Any) -> TrackOutcome:
    settings = TrackConfig(**{"timeout_seconds": 2, **config})
    journal = record(store.root, study, study_entries(study, store, settings))
    return replay_all(store.root, journal, MlflowTracker(settings, store.root))


def client_of(store: Store) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{store.root / 'tracking' / 'mlflow.db'}")


def runs_of(client: Any, search: str = "") -> list[Any]:
    experiment = client.get_experiment_by_name("assay")
    return list(client.search_runs([experiment.experiment_id], search)) if experiment else []


def everything(store: Store) -> list[tuple[Any, ...]]:
    """All metrics, params, datasets and runs, straight from the database."""
    connection = sqlite3.connect(store.root / "tracking" / "mlflow.db")
    tables = {
        "runs": "run_uuid, name, status", "metrics": "key, value, step, timestamp, run_uuid",
        "params": "key, value, run_uuid", "inputs": "source_id, destination_id", "datasets": "name, digest",
    }  # fmt: skip
    try:
        found = [
            (table, row) for table, what in tables.items() for row in connection.execute(f"select {what} from {table}")
        ]
        return sorted(found, key=repr)
    finally:
        connection.close()


def test_runs_metrics_tags_datasets_and_report_are_there(store: Store, study: TrackedStudy):
    outcome = track(store, study)
    assert (outcome.warning, outcome.sent) == ("", outcome.entries)
    client = client_of(store)
    (parent,) = runs_of(client, "tags.kind = 'study'")
    assert parent.info.run_name == "demo"
    assert parent.data.tags["verdict.worked"] == "helps"
    assert parent.data.params == {"weight": "0.2"}
    assert {one.path for one in client.list_artifacts(parent.info.run_id, "report")} == {
        "report/report.html",
        "report/report.md",
    }
    table = json.loads(Path(client.download_artifacts(parent.info.run_id, "deltas.json")).read_text())
    [row] = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert (row["name"], row["verdict"], row["benchmark"], row["delta"]) == ("worked", "helps", "gsm8k", 12.5)
    assert json.loads(parent.data.tags["mlflow.loggedArtifacts"]) == [{"path": "deltas.json", "type": "table"}]
    (candidate,) = runs_of(client, "tags.candidate = 'worked' and tags.verdict = 'helps' and tags.kind = 'candidate'")
    assert candidate.data.metrics == {"delta/gsm8k": 12.5, "delta_low/gsm8k": 9.5, "delta_high/gsm8k": 15.5}
    anneals = runs_of(client, "tags.kind = 'anneal'")
    assert sorted((run.data.tags["arm"], run.data.tags["seed"]) for run in anneals) == [
        ("control", "1"), ("control", "2"), ("worked", "1"), ("worked", "2")
    ]  # fmt: skip
    for run in anneals:
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["study"] == "demo"
        assert run.info.status == "FINISHED"
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [(one.step, one.value) for one in sorted(history, key=lambda one: one.step)] == [
            (k, 3.0 / (k + 1)) for k in range(30)
        ]
        assert run.data.metrics["accuracy/gsm8k"] == 20 + int(run.data.tags["seed"])
        assert run.inputs.dataset_inputs[0].dataset.name == "validated"


def test_a_second_time_and_a_forced_replay_change_nothing(store: Store, study: TrackedStudy):
    track(store, study)
    before = everything(store)
    assert track(store, study).sent == 0
    client = client_of(store)
    (parent,) = runs_of(client, "tags.kind = 'study'")
    client.set_tag(parent.info.run_id, "assay.journal", "")  # as if killed before it was counted
    for mark in (store.root / "tracking" / "journals").glob("*.mark"):
        mark.unlink()
    outcome = track(store, study)
    assert outcome.sent == outcome.entries
    assert everything(store) == before


@pytest.mark.parametrize("calls", [1, 4, 9])
def test_a_replay_that_is_cut_short_doubles_nothing(
    store: Store, study: TrackedStudy, calls: int, monkeypatch: pytest.MonkeyPatch
):
    """The process ends right after MLflow took a batch, before anything says so."""
    from mlflow.tracking import MlflowClient

    real, done = MlflowClient.log_batch, []

    def dying(*arguments: Any, **named: Any) -> None:
        real(*arguments, **named)
        done.append(1)
        if len(done) == calls:
            raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", dying)
        with pytest.raises(SystemExit):
            track(store, study)
    assert track(store, study).warning == ""
    assert len(runs_of(client_of(store))) == 6
    rows = everything(store)
    assert len(rows) == len(set(rows))
    assert sum(table == "metrics" and row[0] == "loss" for table, row in rows) == 4 * 30


def test_a_run_that_a_late_answer_made_twice_is_there_once(
    store: Store, study: TrackedStudy, monkeypatch: pytest.MonkeyPatch
):
    """As a server does that is slower than the time-out: it makes the run, and makes it again when asked again."""
    from mlflow.tracking import MlflowClient

    made = MlflowClient.create_run

    def twice(*args, **kwargs):
        made(*args, **kwargs)
        return made(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_run", twice)
        assert track(store, study).warning == ""
    assert len(runs_of(client_of(store))) == 6
    (parent,) = runs_of(client_of(store), "tags.kind = 'study'")
    assert parent.data.tags["assay.journal"] and parent.data.params


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}",
        "--artifacts-destination", str(tmp_path / "files"),
    ]  # fmt: skip
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.slow
def test_a_server_by_address(store: Store, study: TrackedStudy, server: str):
    deadline = time.monotonic() + 90
    while (outcome := track(store, study, uri=server)).warning and time.monotonic() < deadline:
        time.sleep(1)  # the server is still starting: every try is a run that goes on without it
    assert outcome.warning == ""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=server)
    assert len(runs_of(client)) == 6
    (parent,) = runs_of(client, "tags.kind = 'study'")
    assert len(client.list_artifacts(parent.info.run_id, "report")) == 2
    for mark in (store.root / "tracking" / "journals").glob("*.mark"):
        mark.unlink()
    assert track(store, study, uri=server).sent == 0


def test_a_server_that_refuses_fails_nothing_and_is_caught_up(store: Store, study: TrackedStudy):
    port = free_port()
    started = time.monotonic()
    outcome = track(store, study, uri=f"http://user:secret@127.0.0.1:{port}")
    assert time.monotonic() - started < 30
    assert "is not yet tracked" in outcome.warning and "secret" not in outcome.warning
    assert (outcome.sent, outcome.entries > 10) == (0, True)
    assert track(store, study).sent == outcome.entries
    assert len(runs_of(client_of(store))) == 6


def test_a_server_that_hangs_costs_seconds(store: Store, study: TrackedStudy):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        outcome = track(store, study, uri=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=1)
        assert time.monotonic() - started < 30
    assert "is not yet tracked" in outcome.warning


def test_a_locked_database_fails_nothing_and_is_caught_up(store: Store, study: TrackedStudy):
    track(store, study.model_copy(update={"study": "earlier", "study_hash": "feedfeed00", "arms": ()}))
    holder = sqlite3.connect(store.root / "tracking" / "mlflow.db", isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        outcome = track(store, study)
        assert time.monotonic() - started < 15
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert "database is locked" in outcome.warning
    assert outcome.sent == 0
    # The next run of any study sends it.
    later = study.model_copy(update={"study": "later", "study_hash": "feedfeed01", "arms": ()})
    assert track(store, later).warning == ""
    assert len(runs_of(client_of(store), "tags.study = 'demo'")) == 6


def test_a_lost_database_is_filled_again(store: Store, study: TrackedStudy):
    first = track(store, study)
    (store.root / "tracking" / "mlflow.db").unlink()
    # In another process: this one's MLflow still holds the deleted file open.
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tasks.track.config import TrackConfig\n"
        "from tasks.track.journal import Journal\n"
        "from tasks.track.mlflow import MlflowTracker\n"
        "from tasks.track.replay import replay_all\n"
        "root, path = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "print(replay_all(root, Journal(path), MlflowTracker(TrackConfig(), root)).model_dump_json())\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, str(store.root), str(store.root / first.journal)]
    made = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    outcome = TrackOutcome.model_validate_json(made.stdout.splitlines()[-1])
    assert (outcome.sent, outcome.warning) == (first.entries, "")
    assert sum(table == "runs" for table, _ in everything(store)) == 6


def test_the_task_warns_and_goes_on(store: Store, study: TrackedStudy, monkeypatch: pytest.MonkeyPatch):
    warned: list[str] = []
    monkeypatch.setattr("tasks.track.task.get_run_logger", lambda: SimpleNamespace(warning=warned.append))
    uri = f"http://127.0.0.1:{free_port()}"
    outcome = track_study.fn(study, TrackConfig(uri=uri, timeout_seconds=1), store.root)
    assert warned == [outcome.warning] and "is not yet tracked" in outcome.warning

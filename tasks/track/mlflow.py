"""MLflow as a tracker: journal entries into runs, each exactly once; the only module that imports mlflow.

What makes a replay harmless: a run is looked up by its key (tag ``assay.run``) before it is made, and once more at the
end, since a server whose answers come too late has made it twice; a metric carries the journal's own time, and MLflow
keeps one of equal points; params, datasets, tags and files overwrite themselves. The study's run says in its tag
``assay.journal`` how many entries it has, and the digest of the last, so that only the rest is sent.

A server that does not answer costs seconds: retries and time-outs are cut down while MLflow is called, and a SQLite
file is asked for its lock first, since MLflow itself waits 20 seconds for each statement.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tasks.core.errors import EngineError, InfrastructureError
from tasks.track.config import TrackConfig
from tasks.track.journal import Entry

_RUN, _STUDY, _HELD = "assay.run", "assay.study", "assay.journal"
#: The tag by which MLflow's UI finds a run's tables.
_TABLES = "mlflow.loggedArtifacts"
_SQLITE = "sqlite:///"
_METRICS_PER_CALL = 1_000
_ENTRIES_PER_MARK = 20
_LONGEST_PARAM = 6_000
_LONGEST_DIGEST = 36


class MlflowTracker:
    """MLflow by URI, or in a SQLite file under the store. Making one does no I/O."""

    def __init__(self, config: TrackConfig, root: Path) -> None:
        self._config, self._root = config, root.absolute()
        self._uri = config.uri or f"{_SQLITE}{self._root / 'tracking' / 'mlflow.db'}"

    @property
    def target(self) -> str:
        """The tracking URI without credentials, and the experiment."""
        parts = urlsplit(self._uri)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path} {self._config.experiment}"

    def holds_data(self) -> bool:
        """Whether it may still hold what it was sent: False for a SQLite file that is gone."""
        return self._file is None or self._file.exists()

    def replay(self, entries: Sequence[Entry]) -> int:
        """Bring MLflow up to date with a whole journal, and return how many entries it lacked.

        Raises:
            InfrastructureError: if MLflow does not answer, or its database is locked or broken.
            EngineError: if it refuses an entry.
        """
        with self._mapped(), _environment(self._settings()):
            self._check_lock()
            return self._replay(entries)

    @property
    def _file(self) -> Path | None:
        return Path(self._uri.removeprefix(_SQLITE)) if self._uri.startswith(_SQLITE) else None

    def _settings(self) -> dict[str, str]:
        return {
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
            "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(self._config.timeout_seconds),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def _check_lock(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._file.exists():
            connection = sqlite3.connect(self._file, timeout=self._config.timeout_seconds, isolation_level=None)
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            finally:
                connection.close()

    def _replay(self, entries: Sequence[Entry]) -> int:
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=self._uri)
        sender = _Sender(client, _experiment(client, self._config.experiment, self._artifacts()), self._root, entries)
        return sender.send()

    def _artifacts(self) -> str | None:
        """Where files go: beside a SQLite file; a server decides by itself."""
        return (self._file.parent / "artifacts").as_uri() if self._file is not None else None

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Map what MLflow, its database and its transport raise to this project's errors."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read once, when mlflow is imported
        import requests
        import sqlalchemy.exc
        from mlflow.exceptions import MlflowException

        remedy = "start the server or free the database; the journal keeps everything until then"
        try:
            yield
        except MlflowException as error:
            if error.error_code in _REFUSALS:
                refused = "check the address, the login and the server's version"
                raise EngineError(f"MLflow at {self.target} refused: {_first_line(error)}", remedy=refused) from error
            raise InfrastructureError(f"MLflow at {self.target} failed: {_first_line(error)}", remedy=remedy) from error
        except (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, requests.RequestException, OSError) as error:
            raise InfrastructureError(f"MLflow at {self.target} failed: {_first_line(error)}", remedy=remedy) from error


_REFUSALS = ("INVALID_PARAMETER_VALUE", "PERMISSION_DENIED", "UNAUTHENTICATED", "BAD_REQUEST", "ENDPOINT_NOT_FOUND")


class _Sender:
    """Sends one journal; knows which runs of it are there."""

    def __init__(self, client: Any, experiment: str, root: Path, entries: Sequence[Entry]) -> None:
        self._client, self._experiment, self._root, self._entries = client, experiment, root, entries
        self._study = entries[0].run
        self._runs: dict[str, str] = {}

    def send(self) -> int:
        held = self._find_runs()
        for count, entry in enumerate(self._entries[held:], start=held + 1):
            getattr(self, f"_send_{entry.kind}")(entry)
            if count % _ENTRIES_PER_MARK == 0 or count == len(self._entries):
                self._client.set_tag(self._runs[self._study], _HELD, f"{count} {entry.digest}")
        if held < len(self._entries):
            self._find_runs()
        return max(0, len(self._entries) - held)

    def _find_runs(self) -> int:
        """Look up the runs of this study that are there, one a key; return how many entries they hold."""
        found = defaultdict[str, list[Any]](list)
        for run in self._search():
            found[run.data.tags[_RUN]].append(run)
        held = 0
        for key, runs in found.items():
            run = self._only(key, runs)
            self._runs[key] = run.info.run_id
            held = max(held, self._held(run.data.tags.get(_HELD, "")))
        return held

    def _search(self) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.`{_STUDY}` = '{self._study}'", max_results=1_000, page_token=token
            )
            yield from page
            if not (token := page.token):
                return

    def _only(self, key: str, runs: Sequence[Any]) -> Any:
        """Return the run of a key that entries went to, and delete the others."""

        def has_entries(run: Any) -> tuple[bool, int]:
            return run.info.run_id == self._runs.get(key), len(run.data.params) + len(run.data.metrics)

        kept, *doubles = sorted(runs, key=has_entries, reverse=True)
        for double in doubles:
            self._client.delete_run(double.info.run_id)
        return kept

    def _held(self, tag: str) -> int:
        """Return how many entries are there by a run's tag; none, if it speaks of another journal."""
        count, _, digest = tag.partition(" ")
        known = count.isdigit() and 0 < int(count) <= len(self._entries)
        return int(count) if known and self._entries[int(count) - 1].digest == digest else 0

    def _send_run(self, entry: Entry) -> None:
        from mlflow.entities import RunTag

        parent, name = entry.body["parent"], entry.body["name"]
        tags = {**entry.body["tags"], _RUN: entry.run, _STUDY: self._study, "mlflow.runName": name}
        if parent is not None:
            tags["mlflow.parentRunId"] = self._runs[parent]
        if entry.run in self._runs:
            run_id = self._runs[entry.run]
            self._client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
        else:
            run = self._client.create_run(self._experiment, start_time=entry.time, tags=tags, run_name=name)
            run_id = self._runs[entry.run] = run.info.run_id
        self._client.set_terminated(run_id, "FINISHED", end_time=entry.time)

    def _send_params(self, entry: Entry) -> None:
        from mlflow.entities import Param, RunTag

        run_id = self._runs[entry.run]
        known = self._client.get_run(run_id).data.params
        values = {name: value[:_LONGEST_PARAM] for name, value in entry.body.items()}
        fresh = [Param(name, value) for name, value in values.items() if name not in known]
        # MLflow never changes a param; one that did change is shown as a tag.
        changed = [RunTag(f"changed.{n}", v) for n, v in values.items() if n in known and known[n] != v]
        self._client.log_batch(run_id, params=fresh, tags=changed)

    def _send_metrics(self, entry: Entry) -> None:
        from mlflow.entities import Metric

        points = [Metric(name, value, entry.time, step) for name, value, step in entry.body["points"]]
        for start in range(0, len(points), _METRICS_PER_CALL):
            self._client.log_batch(self._runs[entry.run], metrics=points[start : start + _METRICS_PER_CALL])

    def _send_dataset(self, entry: Entry) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        body = entry.body
        dataset = Dataset(
            name=body["name"],
            digest=body["digest"][:_LONGEST_DIGEST],
            source_type="assay",
            source=json.dumps({"source": body["source"], "sha256": body["digest"]}),
            profile=json.dumps({"num_rows": body["num_rows"]}),
        )
        tags = [InputTag("mlflow.data.context", "training")]
        self._client.log_inputs(self._runs[entry.run], [DatasetInput(dataset, tags)])

    def _send_table(self, entry: Entry) -> None:
        run_id, name = self._runs[entry.run], entry.body["name"]
        table = {"columns": entry.body["columns"], "data": entry.body["data"]}
        # As `log_table` writes it; that one would add the rows again with every replay.
        self._client.log_dict(run_id, table, name)
        self._client.set_tag(run_id, _TABLES, json.dumps([{"path": name, "type": "table"}]))

    def _send_artifact(self, entry: Entry) -> None:
        for path in sorted((self._root / entry.body["folder"]).glob("report.*")):
            self._client.log_artifact(self._runs[entry.run], str(path), "report")


def _experiment(client: Any, name: str, artifacts: str | None) -> str:
    """Return the id of an experiment, made if need be, also by another process at the same moment."""
    from mlflow.exceptions import MlflowException

    if (found := client.get_experiment_by_name(name)) is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifacts))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    return str(found.experiment_id)


def _first_line(error: Exception) -> str:
    """Return what an error says, short, without the login that an address in it may carry."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return re.sub(r"(?i)(password|token)=[^&\s]+", r"\1=...", re.sub(r"://[^/@\s]+@", "://", line))[:300]


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while: MLflow takes time-outs in no other way. Those set by the user stay."""
    ours = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)

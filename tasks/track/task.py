"""The track task: a study's findings into the journal, and from there into MLflow if it is there."""

from __future__ import annotations

from pathlib import Path

from prefect import get_run_logger, task

from tasks.core.store import Store
from tasks.track.config import TrackConfig, TrackedStudy, TrackOutcome
from tasks.track.entries import study_entries
from tasks.track.mlflow import MlflowTracker
from tasks.track.replay import record, replay_all


@task(name="track", task_run_name="track {data.study}")
def track_study(data: TrackedStudy, config: TrackConfig, store_root: Path) -> TrackOutcome:
    """Write what a study has to show to its journal, then bring MLflow up to date with every journal of the store.

    Writing the same thing again adds nothing. Never fails for the tracker's sake: where MLflow does not answer, the
    outcome carries a warning and the next run sends what is missing.

    Raises:
        IntegrityError: if a journal was damaged other than by a kill.
    """
    store = Store(store_root)
    journal = record(store.root, data, study_entries(data, store, config))
    outcome = replay_all(store.root, journal, MlflowTracker(config, store.root))
    if outcome.warning:
        get_run_logger().warning(outcome.warning)
    return outcome

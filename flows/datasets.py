"""Datasets as they are declared, read: from a file, from a hub, or made by rule."""

from __future__ import annotations

from flows.caching import cached
from flows.progress import CountProgress
from flows.recipes import Dataset
from tasks.core.errors import DataError, StudyError
from tasks.core.identity import Identity
from tasks.core.store import ArtifactRef, Store
from tasks.ingest import source as ingest_source
from tasks.ingest.task import ingest
from tasks.rules.task import identity as rules_identity
from tasks.rules.task import make_by_rules


def records_identity(dataset: Dataset) -> Identity:
    """Return the identity of a dataset's records."""
    if dataset.recipe is not None:
        return rules_identity(dataset.name, dataset.recipe)
    return ingest_source.identity(dataset.as_read)


def read_records(dataset: Dataset, store: Store) -> ArtifactRef:
    """Publish a dataset's records (RECORDS).

    Raises:
        DataError: if more of its rows than declared cannot be used, whenever they were read.
    """
    identity = records_identity(dataset)
    if dataset.recipe is not None:
        return cached(make_by_rules, store, [identity])(dataset.name, dataset.recipe, store.root)
    with CountProgress("ingest", dataset.name) as progress:
        ref = cached(ingest, store, [identity])(dataset.as_read, store.root, report=progress)
    manifest = store.manifest(ref)
    reasons = manifest.provenance["dropped"]
    ingest_source.check_dropped(dataset.as_read, manifest.num_rows, reasons, store.folder(ref) / "dropped")
    return ref


def check_dataset(field: str, dataset: Dataset) -> None:
    """Look at a dataset's first rows.

    Raises:
        StudyError: with the field's path, if it is not there or lacks a column.
    """
    if dataset.recipe is not None:
        return
    try:
        records_identity(dataset)  # a hub dataset without a commit has none, and need not be reached to know it
        ingest_source.columns_of(dataset.as_read)
    except DataError as error:
        raise StudyError(f"{field}.{dataset.name}: {error.message}", remedy=error.remedy) from error

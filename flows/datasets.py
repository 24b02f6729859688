"""Datasets as they are declared: their keys, and a look at their first rows."""

from __future__ import annotations

from flows.recipes import Dataset
from tasks.core.errors import DataError, StudyError
from tasks.core.identity import Identity
from tasks.ingest import source as ingest_source
from tasks.rules.artifact import identity as rules_identity


def records_identity(dataset: Dataset) -> Identity:
    """Return the identity of a dataset's records."""
    if dataset.recipe is not None:
        return rules_identity(dataset.name, dataset.recipe)
    return ingest_source.identity(dataset.as_read)


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

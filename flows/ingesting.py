"""Datasets as they are declared, read into records: from a file, from a hub, or made by rule."""

from __future__ import annotations

from flows.caching import cached
from flows.datasets import records_identity
from flows.progress import CountProgress
from flows.recipes import Dataset
from tasks.core.store import ArtifactRef, Store
from tasks.ingest import source as ingest_source
from tasks.ingest.task import ingest
from tasks.rules.task import make_by_rules


def read_records(dataset: Dataset, store: Store) -> ArtifactRef:
    """Publish a dataset's records (RECORDS).

    Raises:
        DataError: if more of its rows than declared cannot be used, whenever they were read.
    """
    identity = records_identity(dataset)
    if dataset.recipe is not None:
        with CountProgress("rules", dataset.name, dataset.recipe.count) as progress:
            return cached(make_by_rules, store, [identity])(dataset.name, dataset.recipe, store.root, report=progress)
    with CountProgress("ingest", dataset.name) as progress:
        ref = cached(ingest, store, [identity])(dataset.as_read, store.root, report=progress)
    manifest = store.manifest(ref)
    reasons = manifest.provenance["dropped"]
    ingest_source.check_dropped(dataset.as_read, manifest.num_rows, reasons, store.folder(ref) / "dropped")
    return ref

"""The adapter to `datasets`: a hub dataset, or a folder in the hub's layout, as a stream of raw rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError, InfrastructureError
from tasks.core.identity import canonical, fingerprint, folder_digest
from tasks.ingest.config import HubDataset
from tasks.ingest.readers import Raw


def digest(dataset: HubDataset) -> str:
    """Return what identifies a dataset's rows: the commit of a hub id, the content of a folder.

    Raises:
        DataError: if a hub id has no revision.
    """
    if Path(dataset.id).is_dir():
        return fingerprint([canonical(dataset.model_dump(exclude={"id"})), folder_digest(Path(dataset.id))])
    if dataset.revision is None:
        raise DataError(
            f"{dataset.id}: a hub dataset needs a `revision`",
            remedy="copy the commit from the dataset's page (Files and versions), so that the study stays what it is",
        )
    return fingerprint(dataset)


def read(dataset: HubDataset) -> Iterator[Raw]:
    """Yield every row of a dataset's split, streamed.

    Raises:
        DataError: if the dataset, its config or split does not exist.
        InfrastructureError: if the hub cannot be reached.
    """
    for number, value in enumerate(_open(dataset), start=1):
        yield Raw(f"{dataset.id}/{dataset.split}:{number}", dict(value))


def _open(dataset: HubDataset) -> Any:
    import datasets

    try:
        return datasets.load_dataset(
            dataset.id, dataset.config, split=dataset.split, revision=dataset.revision, streaming=True
        )
    except (ConnectionError, TimeoutError) as error:
        raise InfrastructureError(
            f"{dataset.id}: the hub cannot be reached: {error}",
            remedy="check the network, or download the dataset and give its folder as `id`",
        ) from error
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"{dataset.id}: {error}", remedy="check its id, config and split") from error

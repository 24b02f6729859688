"""The adapter to `datasets`: a hub dataset, or a folder in the hub's layout, as a stream of raw rows."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import DataError, InfrastructureError
from tasks.core.identity import canonical, fingerprint, folder_digest
from tasks.core.readers import Raw
from tasks.ingest.config import HubDataset

#: What parsers raise of bad data, wherever it lies. Anything else that comes of a dataset on the hub is the network's.
_BAD_DATA = (
    *(ValueError, TypeError, LookupError, RuntimeError),
    *(FileNotFoundError, EOFError, gzip.BadGzipFile, zlib.error),
)


def digest(dataset: HubDataset) -> str:
    """Return what identifies a dataset's rows: the commit of a hub id, the content of a folder.

    Raises:
        DataError: if a hub id has no commit as its revision.
    """
    if _is_folder(dataset):
        return fingerprint([canonical(dataset.model_dump(exclude={"id"})), folder_digest(Path(dataset.id))])
    if not re.fullmatch(r"[0-9a-f]{40}", dataset.revision or ""):
        raise DataError(
            f"{dataset.id}: a hub id needs a `revision`, a commit of 40 digits: a branch would move under its key",
            remedy="copy the commit from the dataset's page (Files and versions)",
        )
    return fingerprint(dataset)


def read(dataset: HubDataset) -> Iterator[Raw]:
    """Yield every row of a dataset's split, streamed.

    Raises:
        DataError: if the dataset, its config or split does not exist, or one of its rows cannot be read.
        InfrastructureError: if the hub cannot be reached, also later in the stream.
    """
    import datasets

    with _mapped(dataset, "check its id, config and split"):
        rows = datasets.load_dataset(
            dataset.id, dataset.config, split=dataset.split, revision=dataset.revision, streaming=True
        )
    with _mapped(dataset, "mend it, or give its files as `file`, where one bad row costs one row"):
        for number, value in enumerate(rows, start=1):
            yield Raw(f"{dataset.id}/{dataset.split}:{number}", dict(value))


@contextmanager
def _mapped(dataset: HubDataset, remedy: str) -> Iterator[None]:
    """Map what `datasets` raises; it reads with many libraries, and lets through whatever each of them raises."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except Exception as error:
        if _is_folder(dataset) or isinstance(error, (*_BAD_DATA, DatasetsError)):
            raise DataError(f"{dataset.id}: cannot be read: {type(error).__name__}: {error}", remedy=remedy) from error
        raise InfrastructureError(
            f"{dataset.id}: the hub cannot be reached: {type(error).__name__}: {error}",
            remedy="check the network, or download the dataset and give its folder as `id`",
        ) from error


def _is_folder(dataset: HubDataset) -> bool:
    return Path(dataset.id).is_dir()

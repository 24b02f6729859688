"""The store: immutable artifacts on disk, published whole or not at all.

::

    <root>/<stage>/<key, 20 digits>/manifest.json     written last, by rename: no manifest, no artifact
                                    dropped/          rows that were left out, each with its reason
                                    logs/             timings and measurements of the run
                                    ...               what the stage made
    <root>/.work/<stage>-<key>/                       scratch that survives a kill (checkpoints); removed on publication
    <root>/.locks/<stage>-<key>                       one maker at a time; the loser waits, then reads

An artifact's *digest* covers what a later stage can read: every file except those under ``dropped/`` and ``logs/``.
Parquet is hashed by its rows, not its bytes, so that a new version of the writer changes no key.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from tasks.core.digests import file_digest
from tasks.core.disk import full_disk_named
from tasks.core.errors import IntegrityError
from tasks.core.identity import Frozen, Identity, fingerprint

MANIFEST = "manifest.json"
_ASIDE = ("dropped", "logs")
_SMALL_BYTES = 1 << 20


class ArtifactRef(Frozen):
    """A reference to a published artifact: what tasks exchange instead of rows.

    Attributes:
        path: the artifact's folder, relative to the store's root.
        digest: the digest of its content, 64 hex digits.
        num_rows: how many rows it holds (files, where it holds no rows).
        columns: the names and Arrow types of its rows, empty where it holds none.
    """

    path: str
    digest: str
    num_rows: int
    columns: dict[str, str] = Field(default_factory=dict)


class FileEntry(Frozen):
    """One file of an artifact."""

    name: str
    bytes: int
    sha256: str


class Manifest(Frozen):
    """What an artifact is, where it came from and how it was made."""

    identity: Identity
    key: str
    digest: str
    num_rows: int
    num_dropped: int
    columns: dict[str, str]
    files: tuple[FileEntry, ...]
    sources: dict[str, str]
    provenance: dict[str, Any]
    seconds: float
    created: str


@dataclass
class Draft:
    """An artifact in the making: write into `folder`, then fill in the rest.

    Attributes:
        folder: an empty folder to write into.
        scratch: a folder that outlives a kill, for checkpoints; gone once the artifact is published.
        num_rows: how many rows it holds; where it holds none but files, leave it out.
        seconds: what making it took, where that was not in `build` alone.
        provenance: what does not change the result but explains it: engine versions, tokens, cost.
    """

    folder: Path
    scratch: Path
    num_rows: int | None = None
    num_dropped: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None
    sources: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)


class Store:
    """The artifacts under one root folder. Opening it does no I/O."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def find(self, identity: Identity) -> ArtifactRef | None:
        """Return the artifact with this identity, or None where it was never published.

        Raises:
            IntegrityError: if it was published and is now damaged; see `folder`.
        """
        folder = self._folder(identity)
        if not (folder / MANIFEST).exists():
            return None
        return self._ref(folder, _checked(folder))

    def folder(self, ref: ArtifactRef) -> Path:
        """Return the folder of a published artifact.

        Small files (up to a mebibyte) are checked by content, larger ones by size: models and tables of many gigabytes
        cannot be read each time that they are named.

        Raises:
            IntegrityError: if it is not in this store, or a file of it is missing or not what was published.
        """
        folder = self.root / ref.path
        if not (folder / MANIFEST).exists():
            raise IntegrityError(f"{folder} is not in the store", remedy="run the study again with this store")
        _checked(folder)
        return folder

    def manifest(self, ref: ArtifactRef) -> Manifest:
        """Return the manifest of a published artifact."""
        return _read_manifest(self.folder(ref))

    def manifests(self, stage: str | None = None) -> Iterator[tuple[ArtifactRef, Manifest]]:
        """Yield every published artifact, or those of one stage, oldest first."""
        found = [_read_manifest(path.parent) for path in self.root.glob(f"{stage or '[!.]*'}/*/{MANIFEST}")]
        for manifest in sorted(found, key=lambda m: (m.created, m.key)):
            yield self._ref(self._folder(manifest.identity), manifest), manifest

    def produce(self, identity: Identity, build: Callable[[Draft], None]) -> ArtifactRef:
        """Return the artifact with this identity, calling `build` to make it where it is not there yet.

        Of two processes that ask at once, one builds; the other waits and reads what it published. Where `build`
        raises, nothing is published and only its scratch folder stays.

        Raises:
            OutageError: if the disk is full.
        """
        if (ref := self.find(identity)) is not None:
            return ref
        with full_disk_named(self.root), self.locked(_name(identity)):
            if (ref := self.find(identity)) is not None:
                return ref
            started = time.monotonic()
            draft = Draft(folder=_emptied(self.root / ".staging" / _name(identity)), scratch=self.scratch(identity))
            try:
                build(draft)
                manifest = _describe(identity, draft, time.monotonic() - started)
                return self._publish(manifest, draft)
            finally:
                shutil.rmtree(draft.folder, ignore_errors=True)

    @property
    def work(self) -> Path:
        """Where work in progress lies; what is under it is nobody's result."""
        return self.root / ".work"

    def scratch(self, identity: Identity) -> Path:
        """Return the scratch folder of an artifact in the making, made if need be; it survives a kill."""
        folder = self.work / _name(identity)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold the lock `name` of this store. The kernel lets go of it when its holder dies, however it dies."""
        path = self.root / ".locks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _folder(self, identity: Identity) -> Path:
        return self.root / identity.stage / identity.key[:20]

    def _ref(self, folder: Path, manifest: Manifest) -> ArtifactRef:
        path = folder.relative_to(self.root).as_posix()
        return ArtifactRef(path=path, digest=manifest.digest, num_rows=manifest.num_rows, columns=manifest.columns)

    def _publish(self, manifest: Manifest, draft: Draft) -> ArtifactRef:
        folder = self._folder(manifest.identity)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(draft.folder / MANIFEST, manifest.model_dump_json(indent=1))
        if folder.exists():  # a folder without a manifest: torn by something other than Assay
            shutil.rmtree(folder)
        draft.folder.rename(folder)
        _sync_folder(folder.parent)
        shutil.rmtree(draft.scratch, ignore_errors=True)
        return self._ref(folder, manifest)


def write_json(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    _write_synced(temporary, json.dumps(value, indent=1, ensure_ascii=False))
    temporary.rename(path)
    _sync_folder(path.parent)


def _name(identity: Identity) -> str:
    return f"{identity.stage}-{identity.key[:20]}"


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _read_manifest(folder: Path) -> Manifest:
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except ValidationError as error:
        raise _damaged(folder, folder / MANIFEST) from error


def _checked(folder: Path) -> Manifest:
    """Return the manifest of an artifact whose files are as they were published."""
    manifest = _read_manifest(folder)
    for entry in manifest.files:
        file = folder / entry.name
        if not file.exists() or file.stat().st_size != entry.bytes:
            raise _damaged(folder, file)
        if entry.bytes <= _SMALL_BYTES and file_digest(file) != entry.sha256:
            raise _damaged(folder, file)
    return manifest


def _damaged(folder: Path, file: Path) -> IntegrityError:
    return IntegrityError(
        f"{file} is missing or not what was published", remedy=f"remove {folder} and run again: it will be made anew"
    )


def _describe(identity: Identity, draft: Draft, seconds: float) -> Manifest:
    paths = sorted(path for path in draft.folder.rglob("*") if path.is_file())
    names = [path.relative_to(draft.folder) for path in paths]
    for path in paths:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    content = [[n.as_posix(), content_digest(p)] for n, p in zip(names, paths, strict=True) if n.parts[0] not in _ASIDE]
    return Manifest(
        identity=identity,
        key=identity.key,
        digest=fingerprint(content),
        num_rows=len(content) if draft.num_rows is None else draft.num_rows,
        num_dropped=draft.num_dropped,
        columns=draft.columns,
        files=tuple(
            FileEntry(name=n.as_posix(), bytes=p.stat().st_size, sha256=file_digest(p))
            for n, p in zip(names, paths, strict=True)
        ),
        sources=draft.sources,
        provenance=draft.provenance,
        seconds=round(seconds if draft.seconds is None else draft.seconds, 3),
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def content_digest(path: Path) -> str:
    """Return a digest of what a file says: of its rows for Parquet, of its bytes for anything else."""
    if path.suffix != ".parquet":
        return file_digest(path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    hasher = _HashSink()
    with pq.ParquetFile(path) as table, pa.ipc.new_stream(hasher, table.schema_arrow.remove_metadata()) as stream:
        for batch in table.iter_batches(batch_size=4096):
            stream.write_batch(batch.replace_schema_metadata(None))
    return hasher.hash.hexdigest()


class _HashSink:
    """A file to write to that keeps only the hash of what was written."""

    closed = False

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

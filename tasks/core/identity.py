"""What makes two pieces of work the same: canonical values, fingerprints and the identity of an artifact.

A value is *canonical* when every process, on every machine, writes it as the same bytes: JSON's own types with string
keys, finite numbers, pydantic models, enums, and paths nowhere. Anything else raises instead of hashing to something
that changes from run to run.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.core.digests import input_digest


class Frozen(BaseModel):
    """Base of every config: immutable, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def canonical(value: object) -> Any:
    """Return `value` as plain JSON types that serialise to the same bytes everywhere.

    Raises:
        TypeError: for a value whose written form could change between runs (sets, objects, functions, paths).
        ValueError: for NaN or an infinity.
    """
    if isinstance(value, BaseModel):
        return canonical(value.model_dump(mode="python"))
    if isinstance(value, Enum):
        return canonical(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} has no canonical form")
        return value
    if isinstance(value, Mapping):
        if any(not isinstance(key, str) for key in value):
            raise TypeError("a canonical mapping has string keys")
        return {key: canonical(value[key]) for key in sorted(value)}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [canonical(item) for item in value]
    raise TypeError(f"a {type(value).__name__} has no canonical form, so it cannot be part of an identity")


def fingerprint(value: object) -> str:
    """Return the SHA-256 of the canonical form of `value`, as 64 hex digits."""
    text = json.dumps(canonical(value), ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def folder_digest(path: Path) -> str:
    """Return a digest of a folder: the relative names and SHA-256 of its files, hidden ones left out."""
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    return fingerprint([[f.relative_to(path).as_posix(), input_digest(f)] for f in files])


class Identity(Frozen):
    """What an artifact is: its stage, the meaning of its outputs, its identity config and what it was made from.

    Attributes:
        stage: the stage's name, such as ``anneal``.
        version: the stage's ``STAGE_VERSION``, raised whenever the meaning of an output changes.
        config: the identity config, as canonical JSON. Hardware never enters it.
        inputs: the digest of each input, by its role.
    """

    stage: str
    version: int
    config: dict[str, Any]
    inputs: dict[str, str]

    @classmethod
    def of(cls, stage: str, version: int, config: object, inputs: Mapping[str, str]) -> Identity:
        return cls(stage=stage, version=version, config=canonical(config), inputs=dict(inputs))

    @property
    def key(self) -> str:
        """The artifact's key: 64 hex digits."""
        return fingerprint([self.stage, self.version, self.config, self.inputs])

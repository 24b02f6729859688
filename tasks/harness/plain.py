"""JSON Lines of ``{"benchmark": ..., "item": ..., "correct": ...}``: what any tool can write.

Beside these three, a row may have `seed` (a whole number), `cluster`, `domain` and `metric`; other fields are left
alone. Files may be compressed (``.gz``, ``.zst``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from tasks.core.errors import DataError
from tasks.core.readers import lone_surrogate, read_file
from tasks.core.results import Domain
from tasks.harness.answers import Answer, share_of_one
from tasks.harness.catalogue import Known, domain_of

FIELDS = frozenset({"benchmark", "item", "correct"})
_DEFAULT_METRIC = "accuracy"


def read_plain(path: Path, known: Sequence[Known]) -> Iterator[Answer]:
    """Yield the answers of a file, in order.

    Raises:
        DataError: naming the line that cannot be used, and the field.
    """
    for origin, row in rows(path):
        benchmark = _name(row, "benchmark", origin)
        yield Answer(
            benchmark=benchmark,
            item=_name(row, "item", origin),
            correct=share_of_one(_required(row, "correct", origin), "correct", origin),
            metric=_optional_name(row, "metric", origin) or _DEFAULT_METRIC,
            origin=origin,
            seed=_seed(row, origin),
            cluster=_optional_name(row, "cluster", origin),
            domain=_domain(row, origin) or domain_of(benchmark, known),
        )


def rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a JSON Lines file, each with where it is.

    Raises:
        DataError: naming the first line that is no JSON object.
    """
    for raw in read_file(path):
        origin = str(path.with_name(raw.origin))
        if raw.value is None:
            raise DataError(
                f"{origin}: {raw.reason}: {raw.detail}", remedy="write one JSON object a line, and copy the file whole"
            )
        yield origin, raw.value


def _required(row: dict[str, Any], field: str, origin: str) -> Any:
    if field not in row:
        raise DataError(f"{origin}: no {field}; the row has {', '.join(row) or 'nothing'}", remedy=f"add {field}")
    return row[field]


def _name(row: dict[str, Any], field: str, origin: str) -> str:
    value = _required(row, field, origin)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{origin}: {field} is {value!r}", remedy=f"make {field} a text or a whole number")
    if lone_surrogate(value):
        raise DataError(
            f"{origin}: {field} is {value!r}, with half of a surrogate pair", remedy=f"write {field} whole, as UTF-8"
        )
    return value


def _optional_name(row: dict[str, Any], field: str, origin: str) -> str | None:
    return _name(row, field, origin) if row.get(field) is not None else None


def _seed(row: dict[str, Any], origin: str) -> int | None:
    seed = row.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise DataError(f"{origin}: seed is {seed!r}", remedy="make seed a whole number, or leave it out")
    return seed


def _domain(row: dict[str, Any], origin: str) -> Domain | None:
    domain = row.get("domain")
    if domain is not None and domain not in get_args(Domain):
        raise DataError(f"{origin}: domain is {domain!r}", remedy=f"make domain one of {', '.join(get_args(Domain))}")
    return domain

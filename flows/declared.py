"""What people declare in YAML: read, its paths resolved, and every field that makes no sense named."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from tasks.core.errors import StudyError
from tasks.core.identity import Frozen

Declared = TypeVar("Declared", bound=Frozen)

_PATHS = ("file", "few_shot_file", "path")


class _OnceEach(yaml.SafeLoader):
    """YAML in which no key is given twice: the first one would be lost without a word."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.YAMLError(f"{twice[0]!r} is given twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def declared_in(path: Path) -> dict[str, Any]:
    """Return the fields of a YAML file; relative paths in it, at whatever depth, start at its folder.

    Raises:
        StudyError: as `read_yaml`.
    """
    return {key: _place(key, item, path.absolute().parent) for key, item in read_yaml(path).items()}


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the fields of a YAML file.

    Raises:
        StudyError: if it is not there, not YAML, or not a mapping of fields.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _OnceEach)
    except OSError as error:
        raise StudyError(
            f"{path}: {(error.strerror or 'unreadable').lower()}", remedy="give the path of a YAML file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not YAML: {error}", remedy="mend the line that it names") from error
    if not isinstance(data, dict):
        raise StudyError(f"{path}: not a mapping of fields", remedy="see docs/reference/")
    return data


def parse(model: type[Declared], data: object, where: str) -> Declared:
    """Return the value that `data` declares.

    Raises:
        StudyError: naming each field that makes no sense, and what to do about it.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _explained(error, where) from error


def _explained(error: ValidationError, where: str) -> StudyError:
    problems = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        problems.append(f"{field}: {message}" if field else message)
    return StudyError(
        f"{where} makes no sense; nothing was started\n  " + "\n  ".join(problems),
        remedy="mend the fields named above; docs/reference/ says what each one means",
    )


def _from_folder(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_from_folder(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _place(key, item, folder) for key, item in value.items()}


def _place(key: str, item: Any, folder: Path) -> Any:
    is_place = key in _PATHS or (key == "id" and isinstance(item, str) and (folder / item).is_dir())  # else a hub's id
    if not is_place or not isinstance(item, str):
        return _from_folder(item, folder)
    if glob.has_magic(item) and not Path(item).is_absolute():  # what looks like a pattern in the folder's name is none
        return str(Path(glob.escape(str(folder))) / item)
    return str(folder / item)

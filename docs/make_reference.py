"""Write docs/reference/study.md, recipe.md, runtime.md and benchmarks.md from the code itself: ``make reference``.

Descriptions are the models' own docstrings, so the reference cannot say anything else than the code does; a test fails
where the files are behind the models.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flows.orders import Order
from flows.study import Runtime, Study
from tasks.evaluate import registry
from tasks.evaluate.registry import REGISTRY

FOLDER = Path(__file__).parent / "reference"
MADE = "Made by `make reference` from the code. Do not edit."
PAGES: dict[str, tuple[type[BaseModel], str]] = {
    "study.md": (Study, "The study file"),
    "recipe.md": (Order, "The recipe file"),
    "runtime.md": (Runtime, "The runtime file"),
}


def page(model: type[BaseModel], title: str) -> str:
    """Return the reference of a model and of every model in it, as Markdown."""
    parts = [f"# {title}", MADE]
    return "\n\n".join([*parts, *(section(one) for one in models_in(model, []))]) + "\n"


def models_in(model: type[BaseModel], seen: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """Return a model and the models of its fields, depth first, each once."""
    if model not in seen:
        seen.append(model)
        for field in model.model_fields.values():
            for inner in inner_models(field.annotation):
                models_in(inner, seen)
    return seen


def inner_models(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models that a type is made of."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from inner_models(argument)


def section(model: type[BaseModel]) -> str:
    """Return one model as Markdown: what it is, and a row a field."""
    doc = inspect.cleandoc(model.__doc__ or "")
    intro, _, attributes = doc.partition("Attributes:")
    described = descriptions(attributes)
    for base in model.__mro__[1:]:  # inherited fields are described where they are declared
        described = descriptions((base.__doc__ or "").partition("Attributes:")[2]) | described
    rows = [row(name, field, described.get(name, "")) for name, field in model.model_fields.items()]
    table = "\n".join(["| field | type | default | what it is |", "|---|---|---|---|", *rows])
    return f"## {model.__name__}\n\n{intro.strip()}\n\n{table}"


def descriptions(attributes: str) -> dict[str, str]:
    """Return what a docstring's Attributes section says of each field."""
    found: dict[str, str] = {}
    text = inspect.cleandoc("\n" + attributes)
    for names, said in re.findall(r"^([\w, ]+): (.*(?:\n[ \t]+.*)*)", text, flags=re.MULTILINE):
        for name in names.split(", "):
            found[name] = re.sub(r"\s+", " ", said).replace("|", "\\|").replace("``", "`")
    return found


def row(name: str, field: FieldInfo, described: str) -> str:
    """Return a field as a row of a table."""
    default = "required" if field.is_required() else f"`{shown(field.get_default(call_default_factory=True))}`"
    return f"| `{name}` | {type_name(field.annotation)} | {default} | {described} |"


def shown(value: object) -> str:
    """Return a default as YAML would have it; a whole model is all its own defaults."""
    if isinstance(value, BaseModel):
        return "{}"
    text = str(list(value)) if isinstance(value, tuple) else "null" if value is None else str(value)
    return text.replace("|", "\\|") or '""'


def type_name(annotation: object) -> str:
    """Return a type in a reader's words."""
    if annotation is type(None):
        return "null"
    if inspect.isclass(annotation) and not typing.get_args(annotation):
        name = annotation.__name__
        return f"[{name}](#{name.lower()})" if issubclass(annotation, BaseModel) else name
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(argument) for argument in arguments)
    inner = [type_name(argument) for argument in arguments if argument is not ...]
    return f"map of {inner[0]} to {inner[1]}" if origin is dict else f"list of {', '.join(dict.fromkeys(inner))}"


def benchmarks() -> str:
    """Return the registry as Markdown: a row a benchmark."""
    rows = ["| name | domain | items | metric | OpenCompass config, base and chat | files under `evaluate.data` |"]
    rows.append("|---|---|---|---|---|---|")
    for name, known in REGISTRY.items():
        items = " or ".join(f"{count:,}" for count in known.items)
        configs = "<br>".join(dict.fromkeys(f"`{source.module}`" for source in (known.base, known.chat)))
        code = " (runs model-written code)" if known.runs_code else ""
        files = "<br>".join(f"`{file}`" for file in known.files)
        rows.append(f"| `{name}` | {known.domain} | {items} | {known.metric}{code} | {configs} | {files} |")
    return "\n\n".join(["# Benchmarks", MADE, inspect.cleandoc(registry.__doc__ or ""), "\n".join(rows)]) + "\n"


def pages() -> dict[str, str]:
    """Return every page by its file's name."""
    return {name: page(model, title) for name, (model, title) in PAGES.items()} | {"benchmarks.md": benchmarks()}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

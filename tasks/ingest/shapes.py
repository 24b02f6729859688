"""Raw rows into records: which fields a row has, whether they can be used, and the id that it keeps for life.

Three shapes are known: a document (`text`), a question with its answer, and a chat (`messages`). The last two are both
stored as messages. A question may come without its answer where a recipe will ask for one: its chat ends with the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tasks.core.identity import fingerprint
from tasks.core.readers import Raw
from tasks.ingest.config import RecordField

ROLES = ("system", "user", "assistant", "tool")
Mapping_ = Mapping[RecordField, str]
_SHAPES: tuple[tuple[RecordField, ...], ...] = (("messages",), ("question", "answer"), ("text",))


class UnusableRow(Exception):  # noqa: N818 - not an error: the row is dropped on the record
    """A row that cannot become a record; `reason` is one of a few, `detail` is its own."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def find_columns(names: Iterable[str]) -> dict[RecordField, str] | None:
    """Return which columns hold a record's fields by their own names, or None where none of the shapes is there."""
    names = set(names)
    for shape in _SHAPES:
        if names.issuperset(shape):
            return {field: field for field in shape}
    return None


def to_record(raw: Raw, source: str, columns: Mapping_) -> dict[str, Any]:
    """Return the record (a row of the RECORDS table) that a raw row holds.

    Its `row_id` is a hash of the source's name and the content: the same row has the same id in every run, in whatever
    order its file is, and identical rows of one source share one.

    Raises:
        UnusableRow: with the reason, if it holds none.
    """
    if raw.value is None:
        raise UnusableRow(raw.reason, raw.detail)
    text = messages = None
    if "text" in columns:
        text = _string(raw.value, columns["text"])
    elif "messages" in columns:
        messages = _messages(raw.value, columns["messages"])
    else:
        messages = [{"role": "user", "content": _string(raw.value, columns["question"])}]
        if "answer" in columns:
            messages.append({"role": "assistant", "content": _string(raw.value, columns["answer"])})
        elif "reference" in columns and _is_there(_field(raw.value, columns["reference"])):
            messages.append({"role": "assistant", "content": _string(raw.value, columns["reference"])})
    return {
        "row_id": fingerprint([source, text, messages])[:32],
        "source": source,
        "origin": raw.origin,
        "text": text,
        "messages": messages,
    }


def _is_there(reference: object) -> bool:
    """Say whether a row has a reference answer: null and blank are both used for none."""
    return bool(reference.strip()) if isinstance(reference, str) else reference is not None


def _string(value: Mapping[str, Any], column: str) -> str:
    found = _field(value, column)
    if found is None:
        raise UnusableRow("missing field", column)
    return _text(found, column)


def _field(value: Any, column: str) -> Any:
    """Return what a column holds: one of that name, else, of ``responses.0.text``, what lies at the end of that way."""
    if isinstance(value, Mapping) and column in value:
        return value[column]
    first, dot, rest = column.partition(".")
    if isinstance(value, list) and first.isdecimal():
        inner = value[int(first)] if int(first) < len(value) else None
    else:
        inner = value.get(first) if isinstance(value, Mapping) else None
    return _field(inner, rest) if dot else inner


def _text(text: object, where: str) -> str:
    if not isinstance(text, str):
        raise UnusableRow("wrong type", f"{where} is a {type(text).__name__}, not a string")
    if not text.strip():
        raise UnusableRow("empty field", where)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnusableRow("invalid UTF-8", f"{where}: {error}") from error
    return text


def _messages(value: Mapping[str, Any], column: str) -> list[dict[str, str]]:
    messages = _field(value, column)
    if messages is None:
        raise UnusableRow("missing field", column)
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise UnusableRow("wrong type", f"{column} is not a list of messages")
    chat = [{"role": _role(m, column), "content": _string(m, "content")} for m in messages]
    if not chat or chat[-1]["role"] != "assistant":
        raise UnusableRow("no answer", f"{column} does not end with an assistant's message")
    if len(chat) == 1:
        raise UnusableRow("no question", f"{column} has nothing before its answer")
    return chat


def _role(message: Mapping[str, Any], column: str) -> str:
    role = message.get("role")
    if role not in ROLES:
        raise UnusableRow("wrong type", f"{column} has the role {role!r}, not one of {', '.join(ROLES)}")
    return str(role)

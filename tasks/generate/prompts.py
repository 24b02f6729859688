"""Requests as the tokens that a model reads, and the seed of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from jinja2.exceptions import TemplateError

from tasks.core.identity import fingerprint
from tasks.generate.checks import no_chat_template
from tasks.generate.shards import Row


class Tokenizer(Protocol):
    """What of a tokenizer of `transformers` is used here."""

    chat_template: Any

    def __call__(self, text: Any, **options: Any) -> Any: ...

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any: ...


class Unaskable(Exception):  # noqa: N818  not a failure: a drop with its reason
    """A request that cannot be asked; becomes a drop."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def seed_of(seed: int, row_id: str, sample: int) -> int:
    """Return the seed of one request: 32 bits, so that every engine takes it."""
    return int(fingerprint([seed, row_id, sample])[:8], 16)


def check_asks(request: Row) -> None:
    """Refuse a request that asks nothing.

    Raises:
        Unaskable: for an empty prompt, or messages of which the last is empty.
    """
    messages = request["messages"]
    text = request["prompt"] if messages is None else (messages[-1]["content"] if messages else "")
    if not (text or "").strip():
        raise Unaskable("empty prompt", "there is nothing in it" if messages is None else "its last message is empty")


def render(request: Row, tokenizer: Tokenizer, *, name: str, opening: str, score: bool) -> str | None:
    """Return messages as the chat template writes them, ready for the answer; None where `prompt` stands as it is.

    Text to be scored is rendered whole, with no turn opened behind it. `opening` closes what is rendered, unless the
    template ends in it already, as those of reasoning models do.

    Raises:
        DataError: if there is no chat template.
        Unaskable: if the template refuses the messages.
    """
    if request["messages"] is None:
        return None
    if not tokenizer.chat_template:
        raise no_chat_template(name)
    try:
        text = str(tokenizer.apply_chat_template(request["messages"], tokenize=False, add_generation_prompt=not score))
    except TemplateError as error:
        raise Unaskable("chat template", f"it refuses these messages: {error}") from error
    return text if score or text.endswith(opening) else text + opening


def tokens_of(texts: Sequence[str], tokenizer: Tokenizer, *, special: bool) -> list[list[int]]:
    """Return each text's tokens; `special` adds what the tokenizer puts around a text, which a template did itself."""
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=special, verbose=False)["input_ids"]
    return [list(map(int, tokens)) for tokens in encoded]


def check_fits(tokens: int, context: int, *, score: bool) -> None:
    """Refuse a prompt that leaves no room for an answer.

    Raises:
        Unaskable: with the figures.
    """
    if tokens + 1 > context:
        raise Unaskable("over the context length", f"the prompt has {tokens:,} tokens, the context {context:,}")
    if score and tokens < 2:
        raise Unaskable("empty prompt", "a single token has nothing before it to be scored by")

"""A chat as a prompt and the answer that follows it, in a model's own chat template.

The prompt is what the template writes of all turns but the last, as at inference. The answer is written by hand behind
it, since templates of reasoning models delete ``<think>`` blocks from the answers that they render; then comes what the
template writes behind an answer. That holds for a template that writes an answer's text as it stands, and before it no
more than it writes at the end of a prompt, thinking marks and spaces aside. Any other is refused, since what stands
between would be neither shown nor trained.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from tasks.core.errors import DataError

_SENTINEL = "ANSWER-5f3a"
_QUESTION = {"role": "user", "content": "?"}
#: What a template may write on one side only: Qwen3 an empty thought before an answer, DeepSeek-R1 an open one behind a
#: prompt, Mistral a space.
_THINKING = re.compile(r"\s*</?think>\s*|\s+$")


class Tokenizer(Protocol):
    """What rendering needs of a tokenizer. `chat` raises `ChatRefused` where the template refuses the messages."""

    eos: int

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...

    def chat(self, messages: Sequence[dict[str, str]], *, prompt: bool) -> str: ...


class ChatRefused(Exception):  # noqa: N818 - not an error: the row is dropped on the record
    """A chat that cannot be trained on; `reason` is one of a few, `detail` is its own."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def turn_end(tokenizer: Tokenizer) -> str:
    """Return what the template writes behind an answer, having seen that answers can be trained on in it.

    Raises:
        DataError: naming what the template does wrong.
    """
    try:
        prompt = tokenizer.chat([_QUESTION], prompt=True)
        whole = tokenizer.chat([_QUESTION, {"role": "assistant", "content": _SENTINEL}], prompt=False)
    except ChatRefused as refusal:
        raise _fault(f"refuses even one question with its answer: {refusal.detail}") from refusal
    before, found, end = whole.rpartition(_SENTINEL)
    if not found:
        raise _fault("does not write an answer as it stands (it leaves it out or transforms it)")
    if not _THINKING.sub("", prompt).startswith(_THINKING.sub("", before)):
        written, prompted = (text.rpartition(_QUESTION["content"])[2] for text in (before, prompt))
        raise _fault(
            f"writes {written!r} between a question and its answer, but only {prompted!r} to prompt for one "
            "(add_generation_prompt), so the rest would be neither shown nor trained"
        )
    return end


def answer_in_template(messages: Sequence[dict[str, str]], tokenizer: Tokenizer, end: str) -> tuple[str, str]:
    """Return a chat as its prompt and its last answer with `end`, what the template writes behind it.

    A template that opens ``<think>`` for the model does not get it twice.

    Raises:
        ChatRefused: if the template refuses the prompt's turns.
    """
    prompt = tokenizer.chat(messages[:-1], prompt=True)
    answer = messages[-1]["content"]
    if prompt.rstrip().endswith("<think>") and answer.lstrip().startswith("<think>"):
        answer = answer.lstrip().removeprefix("<think>").lstrip("\n")
    return prompt, answer + end


def _fault(fault: str) -> DataError:
    return DataError(f"the chat template {fault}", remedy="mend it, or declare another as the study's `chat_template`")

"""Records into tokenised documents, in the two ways that a model is trained.

*pretrain*: the text as it stands, loss on every token. A document longer than a sequence splits at paragraphs, else at
sentences, words and tokens, and every part keeps its row's id.

*sft*: the chat template, loss on the last answer and what ends it. A document longer than a sequence is left out, never
cut. The answer is written by hand behind the rendered prompt, since templates of reasoning models delete ``<think>``
blocks from the answers that they render.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from tasks.mix.config import PackConfig
from tasks.mix.packing import Document

_BORDERS = (re.compile(r"(?<=\n)(?=[^\n])"), re.compile(r"(?<=[.!?;])(?= )"), re.compile(r"(?= )"))
_BATCH = 512
_SENTINEL = "ANSWER-5f3a"


class Tokenizer(Protocol):
    """What rendering needs of a tokenizer."""

    eos: int

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...

    def chat(self, messages: Sequence[dict[str, str]], *, prompt: bool) -> str: ...


class Unfit(NamedTuple):
    """A record that no training sequence can hold, and why."""

    row_id: str
    reason: str
    detail: str


def render(
    records: Iterable[Mapping[str, Any]], tokenizer: Tokenizer, config: PackConfig
) -> Iterator[Document | Unfit]:
    """Yield the documents of records, in order, and what does not fit."""
    one = _pretrain if config.stage == "pretrain" else _sft
    iterator = iter(records)
    while batch := list(islice(iterator, _BATCH)):
        yield from one(batch, tokenizer, config.sequence_length)


def plain_text(record: Mapping[str, Any]) -> str:
    """Return a record as raw text: its own, or its messages' with a line break between them."""
    return record["text"] if record["text"] is not None else "\n".join(m["content"] for m in record["messages"])


def _pretrain(batch: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, length: int) -> Iterator[Document]:
    texts = [plain_text(record) for record in batch]
    for record, text, tokens in zip(batch, texts, tokenizer.encode(texts), strict=True):
        whole = [*tokens, tokenizer.eos]
        parts = [whole] if len(whole) <= length else split(text, tokenizer, length)
        for part in parts:
            yield Document(record["row_id"], part, [True] * len(part))


def split(text: str, tokenizer: Tokenizer, length: int) -> list[list[int]]:
    """Return a long text's tokens in parts of up to `length`, the end-of-text token behind the last.

    A part takes whole paragraphs as long as they fit; then, while more than a sixty-fourth of it is empty, whole
    sentences of the next paragraph, then words, then tokens. So it is nearly full and ends at the best border there is.
    """
    parts: list[list[int]] = [[]]
    _fill(parts, text, tokenizer, length, depth=0)
    if len(parts[-1]) == length:
        parts.append([])
    parts[-1].append(tokenizer.eos)
    return parts


def _fill(parts: list[list[int]], text: str, tokenizer: Tokenizer, length: int, depth: int) -> None:
    pieces = [piece for piece in _BORDERS[depth].split(text) if piece]
    for piece, tokens in zip(pieces, tokenizer.encode(pieces), strict=True):
        if length - len(parts[-1]) < min(len(tokens), length // 64):
            parts.append([])
        if len(tokens) <= length - len(parts[-1]):
            parts[-1] += tokens
        elif depth + 1 < len(_BORDERS):
            _fill(parts, piece, tokenizer, length, depth + 1)
        else:
            room = length - len(parts[-1])
            parts[-1] += tokens[:room]
            parts += [tokens[start : start + length] for start in range(room, len(tokens), length)]


def _sft(batch: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, length: int) -> Iterator[Document | Unfit]:
    chats = [record for record in batch if record["messages"]]
    for record in batch:
        if not record["messages"]:
            yield Unfit(
                record["row_id"], "no answer", "an sft study trains on questions with answers, not on plain text"
            )
    sides = [answer_in_template(record["messages"], tokenizer) for record in chats]
    prompts = tokenizer.encode([prompt for prompt, _ in sides])
    answers = tokenizer.encode([answer for _, answer in sides])
    for record, prompt, answer in zip(chats, prompts, answers, strict=True):
        size = len(prompt) + len(answer)
        if size > length:
            yield Unfit(record["row_id"], "longer than a sequence", f"{size} tokens of {length}")
        else:
            yield Document(record["row_id"], [*prompt, *answer], [False] * len(prompt) + [True] * len(answer))


def answer_in_template(messages: Sequence[dict[str, str]], tokenizer: Tokenizer) -> tuple[str, str]:
    """Return a chat as its prompt and its last answer with what the template writes behind it.

    A template that opens ``<think>`` for the model does not get it twice.
    """
    prompt = tokenizer.chat(messages[:-1], prompt=True)
    answer = messages[-1]["content"]
    if prompt.rstrip().endswith("<think>") and answer.lstrip().startswith("<think>"):
        answer = answer.lstrip().removeprefix("<think>").lstrip("\n")
    return prompt, answer + _turn_end(tokenizer)


def _turn_end(tokenizer: Tokenizer) -> str:
    probe = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _SENTINEL}]
    return tokenizer.chat(probe, prompt=False).rpartition(_SENTINEL)[2]

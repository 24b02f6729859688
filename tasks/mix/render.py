"""Records into tokenised documents, in the two ways that a model is trained.

*pretrain*: the text as it stands, loss on every token. A document longer than a sequence splits at paragraphs, else at
sentences, words and tokens, and every part keeps its row's id.

*sft*: the chat template, loss on the last answer and what ends it (see `chat`). A document longer than a sequence is
left out, never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tasks.mix.chat import ChatRefused, Tokenizer, answer_in_template, turn_end
from tasks.mix.config import PackConfig
from tasks.mix.packing import Document, windows

_BORDERS = (re.compile(r"(?<=\n)(?=[^\n])"), re.compile(r"(?<=[.!?;])(?= )"), re.compile(r"(?= )"))
#: What is tokenised at once: 4 Mi characters are about a million tokens.
_BATCH_RECORDS, _BATCH_CHARACTERS = 512, 1 << 22


class Unfit(NamedTuple):
    """A record that no training sequence can hold, and why."""

    row_id: str
    reason: str
    detail: str


def render(
    records: Iterable[Mapping[str, Any]], tokenizer: Tokenizer, config: PackConfig
) -> Iterator[Document | Unfit]:
    """Yield the documents of records, in order, and what does not fit.

    Raises:
        DataError: if answers cannot be trained on in the tokenizer's chat template (stage *sft* only).
    """
    end = turn_end(tokenizer) if config.stage == "sft" else ""
    for batch in windows(records, _BATCH_RECORDS, lambda record: len(plain_text(record)), _BATCH_CHARACTERS):
        if config.stage == "sft":
            yield from _sft(batch, tokenizer, end, config.sequence_length)
        else:
            yield from _pretrain(batch, tokenizer, config.sequence_length)


def plain_text(record: Mapping[str, Any]) -> str:
    """Return a record as raw text: its own, or its messages' with a line break between them."""
    return record["text"] if record["text"] is not None else "\n".join(m["content"] for m in record["messages"])


def _pretrain(batch: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, length: int) -> Iterator[Document]:
    texts = [plain_text(record) for record in batch]
    for record, text, tokens in zip(batch, texts, tokenizer.encode(texts), strict=True):
        whole = [*tokens, tokenizer.eos]
        parts = [whole] if len(whole) <= length else split(text, tokenizer, length)
        for part in parts:
            yield Document(record["row_id"], np.array(part, np.int32))


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


def _sft(batch: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, end: str, length: int) -> Iterator[Document | Unfit]:
    sides: list[tuple[str, str, str]] = []
    for record in batch:
        try:
            sides.append((record["row_id"], *answer_in_template(_answered(record), tokenizer, end)))
        except ChatRefused as refusal:
            yield Unfit(record["row_id"], refusal.reason, refusal.detail)
    prompts = tokenizer.encode([prompt for _, prompt, _ in sides])
    answers = tokenizer.encode([answer for _, _, answer in sides])
    for (row_id, *_), prompt, answer in zip(sides, prompts, answers, strict=True):
        size = len(prompt) + len(answer)
        if size > length:
            yield Unfit(row_id, "longer than a sequence", f"{size} tokens of {length}")
        else:
            yield Document(row_id, np.array(prompt + answer, np.int32), loss_from=len(prompt))


def _answered(record: Mapping[str, Any]) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = record["messages"] or []
    if not messages or messages[-1]["role"] != "assistant":
        raise ChatRefused("no answer", "an sft study trains on questions with answers")
    if len(messages) == 1:
        raise ChatRefused("no question", "nothing stands before the answer")
    return messages

"""A causal language model as OpenCompass sees it: it answers greedily and gives likelihoods, whatever computes them.

What the model is sent and how its tokens are read is settled here, once, so that the engines (`CausalModel`, which
computes; `Recorder` and `Replayer`, which write requests down and look answers up) cannot differ in it: they only turn
texts into tokens or losses.

It replaces OpenCompass's own wrapper, which needs a method that transformers 5 removed, cuts prompts at their end and
takes a prompt's own words for stop words. A prompt that does not fit loses its head, never the question at its end. It
is cut as text, at a token's border, so that any engine can be sent what is left, and reads the same tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import transformers
from opencompass.models.base import BaseModel, LMTemplateParser
from opencompass.models.base_api import APITemplateParser

Prompt = Any  # a string, or a list of {role, prompt} for a chat
_ROLES = {"HUMAN": "user", "BOT": "assistant", "SYSTEM": "system"}
_CHAT = {
    "round": [
        {"role": "HUMAN", "api_role": "HUMAN"},
        {"role": "SYSTEM", "api_role": "SYSTEM"},
        {"role": "BOT", "api_role": "BOT", "generate": True},
    ]
}


class Text(NamedTuple):
    """A text as the model gets it, and the tokens it is read as."""

    text: str
    ids: list[int]


class GreedyModel(BaseModel):  # type: ignore[misc]
    """A model folder, asked by its tokenizer; a subclass computes.

    Attributes:
        max_seq_len: the most tokens of prompt and answer together.
        truncated: for each prompt generated for since `begin`, whether its answer hit the limit before it ended.
        tokens: the length of each of those answers, in tokens.
        prompts_cut: how many prompts since `begin` did not fit the context.
    """

    def __init__(self, folder: str, *, chat: bool, max_context: int | None) -> None:
        self.path, self.chat = folder, chat
        self.is_synthetic = False
        self.generation_kwargs: dict[str, Any] = {}
        self.template_parser = APITemplateParser(_CHAT) if chat else LMTemplateParser()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, padding_side="left"
        )
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        own = getattr(config, "max_position_embeddings", None) or 2048
        self.max_seq_len = min(own, max_context) if max_context else own
        self._ends = _end_tokens(self.tokenizer, _generation_config(folder, config))
        self._start = _start_text(self.tokenizer)
        self.begin([], [], lambda _: None)

    def begin(
        self,
        rows: Sequence[dict[str, Any]],  # noqa: ARG002
        labels: Sequence[str],  # noqa: ARG002
        on_rows: Callable[[int], None],
    ) -> None:
        """Start a subset: forget what was counted. `rows` and `labels` are for stand-ins, which look answers up."""
        self.truncated: list[bool] = []
        self.tokens: list[int] = []
        self.prompts_cut = 0
        self._on_rows = on_rows

    def answer_tokens(self, texts: Sequence[Text], room: int, stops: Sequence[str]) -> list[list[int]]:
        """Return the tokens that the model writes after each text, at most `room`, its end token or stop word included;
        what comes after these counts for nothing."""
        raise NotImplementedError

    def losses(self, texts: Sequence[Text]) -> list[Any]:
        """Return the negative log-likelihoods, in nats, of each text's tokens but the first, as float64 arrays."""
        raise NotImplementedError

    def sent(self, prompt: Prompt) -> str:
        """Return a prompt as the model gets it. What the tokenizer puts before every text by itself is left out."""
        if isinstance(prompt, str):
            return prompt
        messages: list[dict[str, str]] = []
        for turn in prompt:
            role = _ROLES[turn["role"]]
            if messages and messages[-1]["role"] == role:
                messages[-1]["content"] += "\n" + turn["prompt"]
            elif turn["prompt"]:
                messages.append({"role": role, "content": turn["prompt"]})
        rendered = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return str(rendered).removeprefix(self._start)

    def get_token_len(self, prompt: str) -> int:
        """Return a prompt's length in tokens."""
        return len(self._ids(prompt))

    def generate(
        self,
        inputs: Sequence[Prompt],
        max_out_len: int,
        min_out_len: int | None = None,  # noqa: ARG002
        stopping_criteria: Sequence[str] = (),
        **_: Any,
    ) -> list[str]:
        """Return one answer a prompt, greedily, in the prompts' order, without the stop word that ended it."""
        stops = [word for word in stopping_criteria if word]
        room = min(max_out_len, self.max_seq_len // 2)
        texts = [self._fit(self.sent(prompt), self.max_seq_len - room, count=True) for prompt in inputs]
        answers = [self._read(ids, room, stops) for ids in self.answer_tokens(texts, room, stops)]
        self.truncated += [cut for _, cut, _ in answers]
        self.tokens += [count for _, _, count in answers]
        return [text for text, _, _ in answers]

    def get_ppl(self, inputs: Sequence[Prompt], mask_length: Sequence[int] | None = None) -> Any:
        """Return each text's mean negative log-likelihood a token, in nats: over all tokens but divided by their count
        with the first, as OpenCompass does."""
        if mask_length is not None:
            raise NotImplementedError("masked perplexity is not used by any registered benchmark")
        texts = [self._fit(self.sent(text), self._most_scored, count=True) for text in inputs]
        losses = self.losses(texts)
        return np.array([loss.sum() / max(1, len(t.ids)) for loss, t in zip(losses, texts, strict=True)])

    def answer_bits(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """Return the bits of each (prompt, answer)'s answer given its prompt; None where the answer does not fit.

        The two are tokenized as one text: what counts is every token after the longest start that the text shares with
        the prompt alone, so a token that spans the border belongs to the answer.
        """
        found = [self._answered(prompt, answer) for prompt, answer in pairs]
        losses = iter(self.losses([text for text, count in found if count]))
        return [float(next(losses)[-count:].sum()) / math.log(2) if count else None for _, count in found]

    @property
    def _most_scored(self) -> int:
        """One token of the context stays free: engines that only generate ask for it."""
        return self.max_seq_len - 1

    def _answered(self, prompt: str, answer: str) -> tuple[Text, int]:
        """Return prompt and answer as one text that fits, and how many of its tokens are the answer's, 0 if it does not
        fit with a token before it."""
        alone, whole = self._ids(prompt), self._ids(prompt + answer)
        start = next((i for i, (a, b) in enumerate(zip(alone, whole, strict=False)) if a != b), len(alone))
        text, count = self._fit(prompt + answer, self._most_scored), len(whole) - max(start, 1)
        return text, count if 0 < count < len(text.ids) else 0

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text)["input_ids"])

    def _fit(self, text: str, room: int, *, count: bool = False) -> Text:
        """Return the longest end of `text` that starts at a token and has at most `room` tokens."""
        ids = self._ids(text)
        if len(ids) <= room:
            return Text(text, ids)
        self.prompts_cut += count
        borders = self.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        ends = (text[start:] for start, _ in borders[len(ids) - room :])
        return next(kept for kept in (Text(end, self._ids(end)) for end in ends) if len(kept.ids) <= room)

    def _read(self, ids: list[int], room: int, stops: Sequence[str]) -> tuple[str, bool, int]:
        """Return what the tokens of an answer say, whether it was cut at the limit, and its length."""
        end = next((i for i, token in enumerate(ids) if token in self._ends), None)
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=not self.chat)
        found = [at for word in stops if (at := text.find(word)) >= 0]
        cut = end is None and not found and len(ids) >= room
        return (text[: min(found)] if found else text), cut, len(ids) if end is None else end


def _start_text(tokenizer: Any) -> str:
    """Return the text of the token that the tokenizer puts before every text, empty where it puts none."""
    added = tokenizer("")["input_ids"]
    return (
        str(tokenizer.bos_token) if tokenizer.bos_token_id is not None and added[:1] == [tokenizer.bos_token_id] else ""
    )


def _generation_config(folder: str, config: Any) -> Any:
    try:
        return transformers.GenerationConfig.from_pretrained(folder)
    except OSError:  # the folder has none
        return transformers.GenerationConfig.from_model_config(config)


def _end_tokens(tokenizer: Any, generation: Any) -> list[int]:
    found = generation.eos_token_id
    ends = [found] if isinstance(found, int) else list(found or [])
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id not in ends:
        ends.append(tokenizer.eos_token_id)
    if not ends:
        raise ValueError("the model's tokenizer and generation config name no end-of-sequence token")
    return ends

"""The model as OpenCompass sees it: a causal language model of transformers that generates, greedily, and gives
likelihoods.

It replaces OpenCompass's own wrapper, which needs a method that transformers 5 removed, cuts prompts at their end and
takes a prompt's own words for stop words. Sequences are sorted by length, padded on the left, and end each on its
own, so a batch is done when its last sequence is. Prompts that do not fit lose their head, never the question at
their end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
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
#: Logits in memory at once, in numbers: a gigabyte of float32.
_LOGITS = 2**28
#: Positions computed at once on a CPU, whose caches a larger batch would leave.
_CPU_POSITIONS = 2048


class CausalModel(BaseModel):  # type: ignore[misc]
    """A model folder, loaded once.

    Attributes:
        truncated: for each prompt generated for since `begin`, whether its answer hit the limit before it ended.
        tokens: the length of each of those answers, in tokens.
        prompts_cut: how many prompts since `begin` did not fit the context.
    """

    def __init__(
        self, folder: str, *, chat: bool, dtype: str, device: str, batch_size: int, max_context: int | None
    ) -> None:
        self.path, self.chat, self.batch_size = folder, chat, batch_size
        self.is_synthetic = False
        self.generation_kwargs: dict[str, Any] = {}
        self.template_parser = APITemplateParser(_CHAT) if chat else LMTemplateParser()
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, padding_side="left"
        )
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), trust_remote_code=False, use_safetensors=True
        )
        self.model.to(self.device).eval()
        own = getattr(self.model.config, "max_position_embeddings", None) or 2048
        self.max_seq_len = min(own, max_context) if max_context else own
        self._ends = _end_tokens(self.tokenizer, self.model.generation_config)
        self._pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self._ends[0]
        positions = _LOGITS // int(self.model.config.vocab_size)
        self._positions = min(positions, _CPU_POSITIONS) if self.device == "cpu" else positions
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

    def sent(self, prompt: Prompt) -> str:
        """Return a prompt as the model gets it."""
        if isinstance(prompt, str):
            return prompt
        messages: list[dict[str, str]] = []
        for turn in prompt:
            role = _ROLES[turn["role"]]
            if messages and messages[-1]["role"] == role:
                messages[-1]["content"] += "\n" + turn["prompt"]
            elif turn["prompt"]:
                messages.append({"role": role, "content": turn["prompt"]})
        return str(self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))

    def get_token_len(self, prompt: str) -> int:
        """Return a prompt's length in tokens."""
        return len(self._ids(prompt))

    @torch.inference_mode()  # type: ignore[untyped-decorator]
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
        prompts = [self._fit(self._ids(self._as_text(p)), self.max_seq_len - room) for p in inputs]
        order = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), i))
        answers: list[tuple[str, bool, int]] = [("", False, 0)] * len(prompts)
        for chosen in _chunks(order, self.batch_size):
            for i, answer in zip(chosen, self._generate([prompts[i] for i in chosen], room, stops), strict=True):
                answers[i] = answer
            self._on_rows(len(chosen))
        self.truncated += [cut for _, cut, _ in answers]
        self.tokens += [count for _, _, count in answers]
        return [text for text, _, _ in answers]

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def get_ppl(self, inputs: Sequence[Prompt], mask_length: Sequence[int] | None = None) -> Any:
        """Return each text's mean negative log-likelihood a token, in nats: over all tokens but divided by their count
        with the first, as OpenCompass does."""
        import numpy as np

        if mask_length is not None:
            raise NotImplementedError("masked perplexity is not used by any registered benchmark")
        ids = [self._fit(self._ids(self._as_text(p)), self.max_seq_len) for p in inputs]
        losses = self._losses(ids)
        return np.array([loss.sum() / max(1, len(i)) for loss, i in zip(losses, ids, strict=True)])

    def answer_bits(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """Return the bits of each (prompt, answer)'s answer given its prompt; None where the answer does not fit.

        The two are tokenized as one text: what counts is every token after the longest start that the text shares with
        the prompt alone, so a token that spans the border belongs to the answer.
        """
        ids, starts = [], []
        for prompt, answer in pairs:
            alone, whole = self._ids(prompt), self._ids(prompt + answer)
            start = next((i for i, (a, b) in enumerate(zip(alone, whole, strict=False)) if a != b), len(alone))
            over = max(0, len(whole) - self.max_seq_len)
            ids.append(whole[over:])
            starts.append(max(start, 1) - over)
        with torch.inference_mode():
            losses = self._losses(ids)
        return [
            float(loss[s - 1 :].sum()) / math.log(2) if 0 < s < len(i) else None
            for loss, s, i in zip(losses, starts, ids, strict=True)
        ]

    def _as_text(self, prompt: Prompt) -> str:
        return self.sent(prompt)

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=not self.chat)["input_ids"])

    def _fit(self, ids: list[int], room: int) -> list[int]:
        if len(ids) <= room:
            return ids
        self.prompts_cut += 1
        return ids[-room:]

    def _generate(self, prompts: list[list[int]], room: int, stops: list[str]) -> list[tuple[str, bool, int]]:
        ids, mask = self._padded(prompts)
        width = ids.shape[1]
        stopping = [_StopWords(self.tokenizer, stops, width)] if stops else []
        out = self.model.generate(
            input_ids=ids, attention_mask=mask, do_sample=False, num_beams=1, max_new_tokens=room, use_cache=True,
            pad_token_id=self._pad, eos_token_id=self._ends,
            stopping_criteria=transformers.StoppingCriteriaList(stopping),
        )  # fmt: skip
        return [self._read(row, room, stops) for row in out[:, width:].tolist()]

    def _read(self, ids: list[int], room: int, stops: list[str]) -> tuple[str, bool, int]:
        end = next((i for i, token in enumerate(ids) if token in self._ends), None)
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=not self.chat)
        found = [at for word in stops if (at := text.find(word)) >= 0]
        cut = end is None and not found and len(ids) >= room
        return (text[: min(found)] if found else text), cut, len(ids) if end is None else end

    def _padded(self, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(1, max(map(len, rows)))
        ids = torch.full((len(rows), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, width - len(row) :] = torch.tensor(row, dtype=torch.long)
            mask[i, width - len(row) :] = 1
        return ids.to(self.device), mask.to(self.device)

    def _losses(self, rows: list[list[int]]) -> list[Any]:
        """Return the negative log-likelihoods, in nats, of each row's tokens but the first, as float64 arrays.

        Rows are padded on the right: under causal attention no token sees the padding, so no mask is needed, which is
        much faster on a CPU.
        """
        order = sorted(range(len(rows)), key=lambda i: (-len(rows[i]), i))
        losses: list[Any] = [None] * len(rows)
        while order:
            size = max(1, min(self.batch_size, self._positions // max(1, len(rows[order[0]]))))
            chosen, order = order[:size], order[size:]
            ids = self._right_padded([rows[i] for i in chosen])
            logits = self.model(input_ids=ids, use_cache=False).logits[:, :-1].float()
            nll = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
            for row, i in zip(nll.view(len(chosen), -1).double().cpu().numpy(), chosen, strict=True):
                losses[i] = row[: max(0, len(rows[i]) - 1)]
            self._on_rows(len(chosen))
        return losses

    def _right_padded(self, rows: list[list[int]]) -> torch.Tensor:
        ids = torch.full((len(rows), max(2, len(rows[0]))), self._pad, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        return ids.to(self.device)


class _StopWords(transformers.StoppingCriteria):  # type: ignore[misc]
    """Ends each sequence at the first stop word that it wrote itself; a word spans at most as many tokens as bytes."""

    def __init__(self, tokenizer: Any, words: list[str], width: int) -> None:
        self.tokenizer, self.words, self.width = tokenizer, words, width
        self.tail = max(len(word.encode()) for word in words) + 1
        self.done: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:  # noqa: ARG002
        if self.done is None:
            self.done = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        running = (~self.done).nonzero().flatten().tolist()
        tails = self.tokenizer.batch_decode(input_ids[running][:, max(self.width, input_ids.shape[1] - self.tail) :])
        for i, tail in zip(running, tails, strict=True):
            self.done[i] = any(word in tail for word in self.words)
        return self.done


def _end_tokens(tokenizer: Any, generation: Any) -> list[int]:
    found = generation.eos_token_id if generation is not None else None
    ends = [found] if isinstance(found, int) else list(found or [])
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id not in ends:
        ends.append(tokenizer.eos_token_id)
    if not ends:
        raise ValueError("the model's tokenizer and generation config name no end-of-sequence token")
    return ends


def _chunks(order: list[int], size: int) -> list[list[int]]:
    return [order[i : i + size] for i in range(0, len(order), size)]

"""The default engine: a causal language model of transformers.

Sequences are sorted by length, padded on the left, and end each on its own, so a batch is done when its last sequence
is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import transformers

from tasks.evaluate.driver.greedy import GreedyModel, Text

#: Logits in memory at once, in numbers: a gigabyte of float32.
_LOGITS = 2**28
#: Positions computed at once on a CPU, whose caches a larger batch would leave.
_CPU_POSITIONS = 2048


class CausalModel(GreedyModel):
    """A model folder, loaded once."""

    def __init__(
        self, folder: str, *, chat: bool, dtype: str, device: str, batch_size: int, max_context: int | None
    ) -> None:
        super().__init__(folder, chat=chat, max_context=max_context)
        self.batch_size = batch_size
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), trust_remote_code=False, use_safetensors=True
        )
        self.model.to(self.device).eval()
        self._pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self._ends[0]
        positions = _LOGITS // int(self.model.config.vocab_size)
        self._positions = min(positions, _CPU_POSITIONS) if self.device == "cpu" else positions

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def answer_tokens(self, texts: Sequence[Text], room: int, stops: Sequence[str]) -> list[list[int]]:
        """Return what the model writes after each text; see `GreedyModel`."""
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i].ids), i))
        answers: list[list[int]] = [[] for _ in texts]
        for first in range(0, len(order), self.batch_size):
            chosen = order[first : first + self.batch_size]
            for i, ids in zip(chosen, self._generate([texts[i].ids for i in chosen], room, stops), strict=True):
                answers[i] = ids
            self._on_rows(len(chosen))
        return answers

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def losses(self, texts: Sequence[Text]) -> list[Any]:
        """Return each text's losses; see `GreedyModel`.

        Rows are padded on the right: under causal attention no token sees the padding, so no mask is needed, which is
        much faster on a CPU.
        """
        rows = [text.ids for text in texts]
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

    def _generate(self, prompts: list[list[int]], room: int, stops: Sequence[str]) -> list[list[int]]:
        ids, mask = self._padded(prompts)
        width = ids.shape[1]
        stopping = [_StopWords(self.tokenizer, stops, width)] if stops else []
        out = self.model.generate(
            input_ids=ids, attention_mask=mask, do_sample=False, num_beams=1, max_new_tokens=room, use_cache=True,
            repetition_penalty=1.0,  # a model's own default may have one, and greedy is greedy
            pad_token_id=self._pad, eos_token_id=self._ends,
            stopping_criteria=transformers.StoppingCriteriaList(stopping),
        )  # fmt: skip
        return [list(row) for row in out[:, width:].tolist()]

    def _padded(self, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(1, max(map(len, rows)))
        ids = torch.full((len(rows), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, width - len(row) :] = torch.tensor(row, dtype=torch.long)
            mask[i, width - len(row) :] = 1
        return ids.to(self.device), mask.to(self.device)

    def _right_padded(self, rows: list[list[int]]) -> torch.Tensor:
        ids = torch.full((len(rows), max(2, len(rows[0]))), self._pad, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        return ids.to(self.device)


class _StopWords(transformers.StoppingCriteria):  # type: ignore[misc]
    """Ends each sequence at the first stop word that it wrote itself; a word spans at most as many tokens as bytes."""

    def __init__(self, tokenizer: Any, words: Sequence[str], width: int) -> None:
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

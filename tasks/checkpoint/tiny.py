"""The adapter to `transformers` that makes a tiny Qwen2 from nothing: its config and tokenizer, no weights.

Its tokenizer is byte-level BPE behind Qwen2's own pre-tokenizer (digits one by one): with another, transformers 5 would
load it back differently from how it was trained.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tasks.checkpoint.config import TinyConfig

_END, _START_TURN, _END_TURN = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tiny(folder: Path, texts: Iterable[str], config: TinyConfig) -> None:
    """Write a tiny model's ``config.json`` and a tokenizer trained on `texts` into `folder`."""
    from transformers import Qwen2Config

    tokenizer = _train_tokenizer(texts, config.vocabulary)
    tokenizer.save_pretrained(folder)
    Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        intermediate_size=config.intermediate,
        max_position_embeddings=config.positions,
        initializer_range=config.spread,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        architectures=["Qwen2ForCausalLM"],
    ).save_pretrained(folder)


def _train_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    from transformers import Qwen2Tokenizer

    blank = Qwen2Tokenizer(vocab={}, merges=[], unk_token=None, eos_token=_END, pad_token=_END)
    return blank.train_new_from_iterator(
        texts, vocabulary, new_special_tokens=[_START_TURN, _END_TURN], show_progress=False
    )

"""The adapter to `transformers`: a checkpoint's tokenizer and chat template, and what identifies them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError
from tasks.mix.chat import ChatRefused


class ChatTokenizer:
    """A checkpoint's tokenizer, with the chat template it trains under; satisfies `chat.Tokenizer`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.eos: int = tokenizer.eos_token_id

    @classmethod
    def load(cls, folder: Path, template: str | None = None) -> ChatTokenizer:
        """Open the tokenizer in `folder`, with another chat template where one is given.

        Raises:
            DataError: if there is none, or it has no end-of-text token.
        """
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder}: no tokenizer can be loaded: {error}", remedy="save it with the model"
            ) from error
        if tokenizer.eos_token_id is None:
            raise DataError(f"{folder}: its tokenizer has no end-of-text token", remedy="set `eos_token` and save it")
        if template is not None:
            tokenizer.chat_template = template
        return cls(tokenizer)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text, with no special tokens added."""
        if not texts:
            return []
        # The tokenizer warns of texts over the model's length; here they are split or dropped, on the record.
        encoded = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return [list(map(int, tokens)) for tokens in encoded]

    def chat(self, messages: Sequence[dict[str, str]], *, prompt: bool) -> str:
        """Return messages as the template writes them; with `prompt`, ready for the assistant to go on.

        Raises:
            DataError: if there is no chat template, or it does not compile.
            ChatRefused: if it refuses these messages.
        """
        from jinja2 import TemplateSyntaxError

        if not self._tokenizer.chat_template:
            raise DataError("the tokenizer has no chat template", remedy="declare the study's `chat_template`")
        try:
            text = self._tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=prompt)
        except TemplateSyntaxError as error:
            raise DataError(
                f"the chat template does not compile: {error} (line {error.lineno})",
                remedy="mend it, or declare another as the study's `chat_template`",
            ) from error
        except Exception as error:  # a template is a program, and may raise anything
            raise ChatRefused("refused by the chat template", str(error)) from error
        return str(text)

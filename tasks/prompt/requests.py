"""Questions as requests to a language model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.core.rows import Row
from tasks.prompt.config import QUESTION, PromptConfig


def requests(question: Mapping[str, Any], config: PromptConfig) -> Iterator[Row]:
    """Yield the requests (rows of the REQUESTS table) that a question makes, one a sample, numbered from 0."""
    words = config.template.replace(QUESTION, question["question"])
    system = [{"role": "system", "content": config.system}] if config.system else []
    chat = [*system, {"role": "user", "content": words}]
    for sample in range(config.samples):
        yield {
            "row_id": question["row_id"],
            "sample": sample,
            "messages": chat if config.form == "chat" else None,
            "prompt": words if config.form == "text" else None,
        }

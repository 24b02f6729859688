"""How questions are put to a language model: the identity configs of `prompt`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tasks.core.identity import Frozen

#: Raised whenever the same questions would be asked in other words.
STAGE_VERSION = 2

QUESTION = "{question}"
#: What the cards of QwQ-32B, Qwen3 and DeepSeek-R1 ask for on math problems.
MATH_TEMPLATE = QUESTION + "\n\nPlease reason step by step, and put your final answer within \\boxed{}."
SIMILAR_TEMPLATE = (
    "Here is a math problem:\n\n" + QUESTION + "\n\nWrite one new problem that needs the same skills and is about as "
    "hard, with other numbers and another setting. It must be complete in itself and have one answer. Do not solve it. "
    "Write only the new problem, between <problem> and </problem>."
)


def _has_a_place(template: str) -> str:
    if template.count(QUESTION) != 1:
        raise ValueError(f"a template needs {QUESTION} once, where the question goes")
    return template


Template = Annotated[str, AfterValidator(_has_a_place)]


class PromptConfig(Frozen):
    """How a question is put.

    Attributes:
        template: the words around the question, with ``{question}`` where it goes. Nothing else in it is replaced, and
            nothing of a question is ever read as a template.
        system: a system turn before it; none by default, as the cards of reasoning models advise.
        form: ``chat`` sends a chat, which the teacher's own template renders; ``text`` sends the words as they stand,
            for base models.
        samples: how many answers each question gets.
    """

    template: Template = MATH_TEMPLATE
    system: str | None = None
    form: Literal["chat", "text"] = "chat"
    samples: int = Field(default=1, ge=1)

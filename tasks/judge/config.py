"""What a verdict depends on, the identity config of `judge`, and what it runs on, which is none of it."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field

from tasks.core.identity import Frozen

#: Raised whenever the meaning of a verdict changes.
STAGE_VERSION = 4

Mode = Literal["reference", "self", "both", "none"]


class JudgeConfig(Frozen):
    """How answers are judged.

    Attributes:
        mode: `reference`: an answer is right where it equals the reference. `self`: where it is of its question's
            majority. `both`: where it is of the majority and equals the reference; a question without a reference is
            then judged by its majority alone. `none`: every answer that was not cut is taken for right: what a dataset
            is without this filter.
        threshold: the share of a question's answers, cut and missing ones among them, that a majority needs.
        k: how many answers a question must have for a majority to mean anything.
        tie: where two classes of equal answers are the largest: `drop` both, or take the `first`, which is the one
            whose first sample comes first. It can only matter at a threshold of 0.5 or less.
        needs_thinking: an answer without ``</think>`` was cut: for teachers whose prompt opens ``<think>`` itself, and
            not for endpoints that keep the thought to themselves.
        deadline: processor seconds that one comparison may take; a slow machine changes no verdict.
    """

    mode: Mode = "reference"
    threshold: float = Field(default=0.75, gt=0, le=1)
    k: int = Field(default=2, ge=1)
    tie: Literal["drop", "first"] = "drop"
    needs_thinking: bool = False
    deadline: float = Field(default=5.0, gt=0, le=600)


class JudgeRuntime(Frozen):
    """On what answers are judged; nothing here enters a key.

    Attributes:
        workers: processes that compare what spelling alone does not settle; left out, one for each core that Assay may
            use.
    """

    workers: int | None = Field(default=None, ge=1)

    @property
    def processes(self) -> int:
        """As many as are declared, or as there are cores."""
        return self.workers or len(os.sched_getaffinity(0))


class KeepConfig(Frozen):
    """Which answer of a question becomes its record.

    Attributes:
        answers: ``teacher``, one that was judged right; or ``original``, the one that the question came with, for the
            same questions. So "the teacher's answers are better" can be tested and is not assumed.
        reasoning: whether a kept answer has its ``<think>`` block or what follows it alone.
        seed: which one of several right answers.
    """

    answers: Literal["teacher", "original"] = "teacher"
    reasoning: Literal["stripped", "kept"] = "stripped"
    seed: int = Field(default=0, ge=0)

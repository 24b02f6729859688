"""When a training row gives away a benchmark item: the identity config of `decontaminate`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tasks.core.identity import Frozen

#: Raised whenever the meaning of a clean row changes. A change to `tasks.core.text.words` is one.
STAGE_VERSION = 1


class DecontaminateConfig(Frozen):
    """What counts as overlap with a benchmark item, and how much of it is too much.

    A row is contaminated where it holds `ratio` of an item's n-grams of words or more. This is the rule of PaLM
    (Chowdhery et al. 2022, section 8: 70 % of the 8-grams) and Llama 3 (Dubey et al. 2024, section 5.1.4: 8-grams, a
    ratio set for each benchmark); GPT-3 (Brown et al. 2020, appendix C) took single n-grams of 8 to 13 words. The
    defaults are for problems of 20 to 60 words, where 13-grams lose too much to one edit: with 8-grams and half of them
    an item of 40 words is still caught after two changed words.

    Attributes:
        n: words of an n-gram. 13 suits long passages.
        ratio: the share of an item's n-grams, 0 to 1, from which a row is dropped.
        boilerplate: the share of a benchmark's items above which an n-gram is template, not content: it counts for no
            item. An n-gram of four items or fewer never is.
        min_words: a shorter item is not checked; one of fewer than `n` words is looked for as a whole.
        report_ratio: overlaps from this share on are recorded, so that a comparison can be repeated with other ratios.
    """

    n: int = Field(default=8, ge=1)
    ratio: float = Field(default=0.5, gt=0, le=1)
    boilerplate: float = Field(default=0.01, gt=0, le=1)
    min_words: int = Field(default=5, ge=1)
    report_ratio: float = Field(default=0.1, gt=0, le=1)

    @model_validator(mode="after")
    def _report_what_is_dropped(self) -> Self:
        if self.report_ratio > self.ratio:
            raise ValueError("`report_ratio` is above `ratio`, so dropped rows would not be recorded")
        return self

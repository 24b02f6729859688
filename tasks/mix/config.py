"""What is packed and how arms are drawn from packs: the identity configs of `mix`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.core.identity import Frozen

#: Raised whenever the meaning of a pack or a plan changes.
STAGE_VERSION = 2

#: pretrain: raw text, loss on all tokens. sft: the chat template, loss on the answer only.
TrainingStage = Literal["pretrain", "sft"]
Unit = Literal["tokens", "samples"]


class PackConfig(Frozen):
    """How documents become training sequences: the stage and the tokens of one sequence."""

    stage: TrainingStage
    sequence_length: int = Field(ge=8)


class CandidateShare(Frozen):
    """The candidate of an arm: its name, its share of the arm (0 to 1) and what that is a share of."""

    name: str
    share: float = Field(gt=0, le=1)
    unit: Unit = "tokens"


class PlanConfig(Frozen):
    """How an arm is drawn from packs.

    Attributes:
        weights: the weight of each validated source, by name.
        sequences: how many training sequences the arm has.
        seed: fixes the order of the validated stream, the places that the candidate takes and its own order.
        candidate: what replaces a share of the validated data; None for the control.
    """

    weights: dict[str, float]
    sequences: int = Field(ge=1)
    seed: int = Field(ge=0)
    candidate: CandidateShare | None = None


class PackSize(Frozen):
    """What a pack holds: its sequences, their documents, their tokens and those that loss is taken on."""

    sequences: int
    samples: int
    tokens: int
    supervised_tokens: int


class SourceShare(Frozen):
    """What an arm takes from one source; shares are 0 to 1 of the arm, `epochs` counts repeats of the source.

    Sequences and epochs are counted. The rest is reckoned: a source's mean sequence times its sequences, so exact for
    whole epochs, and alike for all seeds.
    """

    source: str
    sequences: int
    samples: int
    tokens: int
    supervised_tokens: int
    sample_share: float
    token_share: float
    supervised_token_share: float
    epochs: float

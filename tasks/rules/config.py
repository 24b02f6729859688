"""What rule-made datasets are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.core.identity import Frozen

#: Raised whenever the same config makes other problems.
STAGE_VERSION = 1


class ProblemConfig(Frozen):
    """Which problems are drawn.

    Attributes:
        operations: the weight of each number of operations, such as ``{2: 3, 3: 1}``.
        largest: no quantity is below 0 or above this.
    """

    operations: Annotated[dict[int, Annotated[float, Field(gt=0)]], Field(min_length=1)]
    largest: int = Field(default=20, ge=4)


class ProblemSet(Frozen):
    """A recipe: problems from a dependency graph with worked solutions, right or wrong on purpose.

    Attributes:
        kind: which generator draws them.
        problems: which problems it draws.
        count: how many, all different.
        seed: which ones; sets with different seeds may share a few.
        solutions: ``worked`` solves step by step; ``bare`` says the answer alone; ``wrong`` gets every step wrong, as
            a candidate that must hurt.
    """

    kind: Literal["igsm"]
    problems: ProblemConfig
    count: int = Field(ge=1)
    seed: str
    solutions: Literal["worked", "bare", "wrong"] = "worked"


class Drills(Frozen):
    """A recipe: plain documents of true equations, over the numbers that the problems use.

    Attributes:
        largest: no number is below 0 or above this.
        equations: a document has one to so many.
        count: how many documents.
        seed: which ones.
    """

    kind: Literal["arithmetic"]
    largest: int = Field(default=20, ge=4)
    equations: int = Field(default=8, ge=1)
    count: int = Field(ge=1)
    seed: str


RuleRecipe = Annotated[ProblemSet | Drills, Field(discriminator="kind")]

"""What answering cost, and whether a declared cap is reached.

Who answers decides what is paid for: an endpoint's tokens, at the prices of a million of them, or the devices of
engines of one's own, by the hour.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.core.errors import BudgetReached
from tasks.generate.config import GenerateRuntime, Teacher
from tasks.generate.engine import Meters

_MILLION, _HOUR = 1e6, 3600.0


@dataclass(frozen=True)
class Spent:
    """Prompt and output tokens, and what they cost at the declared prices."""

    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.tokens + other.tokens, self.cost + other.cost)

    def times(self, factor: float) -> Spent:
        """Return so many times as much."""
        return Spent(round(self.tokens * factor), self.cost * factor)


#: What a run has spent that has asked nothing yet.
NOTHING = Spent()


def device_hours(meters: Meters, teacher: Teacher, runtime: GenerateRuntime) -> float:
    """Return the hours that devices (GPUs, or cores) answered; loading the model is not in it. An endpoint has none."""
    return 0.0 if teacher.engine == "openai" else meters.seconds * runtime.devices_per_actor / _HOUR


def spent(meters: Meters, teacher: Teacher, runtime: GenerateRuntime) -> Spent:
    """Return what answering took of the caps."""
    tokens = meters.prompt_tokens + meters.output_tokens
    if teacher.engine == "openai":
        price = meters.prompt_tokens * runtime.prompt_price + meters.output_tokens * runtime.output_price
        return Spent(tokens, price / _MILLION)
    return Spent(tokens, device_hours(meters, teacher, runtime) * runtime.device_price)


@dataclass(frozen=True)
class Budget:
    """What one set of answers may take.

    Attributes:
        teacher: who answers.
        runtime: at which prices, and with which caps.
        before: what the same run spent on other answers; the caps are over all of them.
    """

    teacher: Teacher
    runtime: GenerateRuntime
    before: Spent = NOTHING

    def cost(self, meters: Meters) -> float:
        """Return what these answers cost, those before left out."""
        return spent(meters, self.teacher, self.runtime).cost

    @property
    def is_capped(self) -> bool:
        """Whether there is any cap."""
        return self.runtime.max_tokens is not None or self.runtime.max_cost is not None

    def holds(self, meters: Meters, in_hand: int) -> bool:
        """Say whether requests in hand will stay below the caps, if they take as much as those that are answered."""
        factor = 1 + in_hand / max(1, meters.rows + meters.dropped)
        return self._reached(spent(meters, self.teacher, self.runtime).times(factor)) is None

    def cap_reached(self, meters: Meters) -> str | None:
        """Return which cap is reached and by what, None where none is."""
        return self._reached(spent(meters, self.teacher, self.runtime))

    def _reached(self, own: Spent) -> str | None:
        runtime, all_spent = self.runtime, self.before + own
        if runtime.max_tokens is not None and all_spent.tokens >= runtime.max_tokens:
            earlier = f", {self.before.tokens:,} of them on earlier steps" if self.before.tokens else ""
            return f"max_tokens: {all_spent.tokens:,} of {runtime.max_tokens:,} tokens are spent{earlier}"
        if runtime.max_cost is not None and all_spent.cost >= runtime.max_cost:
            earlier = f", {self.before.cost:,.2f} of it on earlier steps" if self.before.cost else ""
            return f"max_cost: {all_spent.cost:,.2f} of {runtime.max_cost:,.2f} is spent{earlier}"
        return None


def stopped(cap: str, name: str, meters: Meters, total: int) -> BudgetReached:
    """Return the error that says how much was done and how to go on."""
    return BudgetReached(
        f"{name}: {cap}; {meters.rows + meters.dropped:,} of {total:,} requests are answered and kept",
        remedy="raise the cap and run again: only the rest is asked",
    )

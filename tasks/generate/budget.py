"""What answering cost, and whether a declared cap is reached."""

from __future__ import annotations

from tasks.core.errors import BudgetReached
from tasks.generate.config import GenerateRuntime
from tasks.generate.engine import Meters

_MILLION, _HOUR = 1e6, 3600.0


def device_hours(meters: Meters, runtime: GenerateRuntime) -> float:
    """Return the hours that devices (GPUs, or cores) answered; loading the model is not in it."""
    return meters.seconds * runtime.devices_per_actor / _HOUR


def cost(meters: Meters, runtime: GenerateRuntime) -> float:
    """Return the cost at the declared prices."""
    return (
        meters.prompt_tokens * runtime.prompt_price / _MILLION
        + meters.output_tokens * runtime.output_price / _MILLION
        + device_hours(meters, runtime) * runtime.device_price
    )


def cap_reached(meters: Meters, runtime: GenerateRuntime) -> str | None:
    """Return which cap is reached and by what, None where none is."""
    tokens = meters.prompt_tokens + meters.output_tokens
    if runtime.max_tokens is not None and tokens >= runtime.max_tokens:
        return f"max_tokens: {tokens:,} of {runtime.max_tokens:,} tokens are spent"
    if runtime.max_cost is not None and (spent := cost(meters, runtime)) >= runtime.max_cost:
        return f"max_cost: {spent:,.2f} of {runtime.max_cost:,.2f} is spent"
    return None


def stopped(cap: str, name: str, meters: Meters, total: int) -> BudgetReached:
    """Return the error that says how much was done and how to go on."""
    return BudgetReached(
        f"{name}: {cap}; {meters.rows + meters.dropped:,} of {total:,} requests are answered and kept",
        remedy="raise the cap and run again: only the rest is asked",
    )

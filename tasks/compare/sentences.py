"""Differences in plain words: what every verdict's sentence is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks.core.results import ConditionedDelta, Delta, Domain, DomainDelta


def named(found: Iterable[Delta | DomainDelta]) -> str:
    """Return differences by name, each with its interval: ``a (+1.2 points, 0.3 to +2.1) and b (...)``."""
    return listed([difference(one) for one in found])


def largest(deltas: Sequence[Delta]) -> str:
    """Return the largest difference either way, by name."""
    return difference(max(deltas, key=lambda delta: abs(delta.delta)))


def difference(one: Delta | DomainDelta) -> str:
    """Return one difference by name, with its interval."""
    return f"{subject(one)} ({signed(one.delta)} points, {signed(one.low)} to {signed(one.high)})"


def subject(one: Delta | DomainDelta) -> str:
    """Return what a difference is of."""
    return one.benchmark if isinstance(one, Delta) else whole(one.domain)


def whole(domain: Domain) -> str:
    """Return what a domain's guards together are called; of mathematics most mostly decides, and is no guard."""
    return "mathematics that does not decide" if domain == "math" else f"{domain} as a whole"


def by_match(one: ConditionedDelta) -> str:
    """Return how a benchmark moved on the items that training rows match, and on the clean ones."""
    share = f"that a row holds {100 * one.threshold:.0f} % or more of"
    if one.n_matched == 0:
        return f"{one.benchmark} has no item {share}"
    items = "item" if one.n_matched == 1 else f"{one.n_matched:,} items"
    matched = f" ({signed(one.matched_delta)} points)" if one.matched_delta is not None else ""
    text = f"{one.benchmark} has {'one ' if one.n_matched == 1 else ''}{items} {share}{matched}"
    if one.delta is None or one.low is None or one.high is None:
        return f"{text}, and {'one' if one.n_items else 'none'} that is clean"
    return f"{text}, and {one.n_items:,} clean ones ({signed(one.delta)}, {signed(one.low)} to {signed(one.high)})"


def listed(parts: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def signed(points: float) -> str:
    """Return points with their sign, to a tenth."""
    text = f"{points:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text

"""Where things go in a forest plot, in percent of its width, so that one drawing fits a phone, a desk and a page.

The plot is one strip of SVG a benchmark, set in an ordinary HTML grid. Positions are percentages, lines and letters are
in CSS pixels: unlike a scaled figure, it never shrinks its text. A plotting library would bring a fixed size, or
megabytes of JavaScript that fetch more; this takes a few lines of template.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tasks.core.identity import Frozen
from tasks.core.results import CandidateResult, Comparison, Delta, DomainDelta, GradedDelta

_ORDER = ("math", "reasoning", "knowledge", "coding")


class Axis(Frozen):
    """A symmetric axis in points, from `-reach` to `reach`, with its ticks."""

    reach: float
    ticks: tuple[float, ...]

    def at(self, points: float) -> str:
        """Return the place of a difference as an SVG percentage, two decimals, kept on the axis."""
        share = (min(self.reach, max(-self.reach, points)) + self.reach) / (2 * self.reach)
        return f"{100 * share:.2f}%"

    def span(self, low: float, high: float) -> str:
        """Return the width between two differences as an SVG percentage."""
        low, high = max(low, -self.reach), min(high, self.reach)
        return f"{max(0.0, 100 * (high - low) / (2 * self.reach)):.2f}%"


class Row(Frozen):
    """One line of a forest plot: a benchmark, or a domain's guards pooled."""

    label: str
    delta: float
    low: float
    high: float
    pooled: bool
    tone: str


class Group(Frozen):
    """The lines of one domain."""

    domain: str
    rows: tuple[Row, ...]


def axis(comparison: Comparison) -> Axis:
    """Return one axis for all candidates of a study, so that their plots can be compared by eye."""
    bounds = [comparison.band]
    for candidate in comparison.candidates:
        bounds += [abs(end) for one in candidate.deltas for end in (one.low, one.high)]
        bounds += [abs(end) for one in candidate.domains for end in (one.low, one.high)]
    largest = 1.04 * max(bounds)
    step = _round_step(largest / 2.5)
    count = math.floor(largest / step)
    return Axis(reach=round(largest, 6), ticks=tuple(round(step * k, 6) for k in range(-count, count + 1)))


def groups(candidate: CandidateResult) -> tuple[Group, ...]:
    """Return a candidate's differences by domain, math first, each domain's pooled difference below its benchmarks."""
    found = []
    for domain in _ORDER:
        rows = [_row(delta) for delta in candidate.deltas if delta.domain == domain]
        rows += [_pooled(one) for one in candidate.domains if one.domain == domain and len(one.benchmarks) > 1]
        if rows:
            found.append(Group(domain=domain, rows=tuple(rows)))
    return tuple(found)


def by_domain(deltas: Sequence[Delta]) -> list[Delta]:
    """Return deltas in the order of the plot."""
    return sorted(deltas, key=lambda delta: _ORDER.index(delta.domain))


def tone(delta: Delta | GradedDelta) -> str:
    """Return ``up``, ``down`` or ``plain``: coloured only where something was found, never by the sign alone."""
    return {"up": "up", "down": "down", "alarm": "down"}.get(delta.finding or "", "plain")


def _row(delta: Delta) -> Row:
    return Row(label=delta.benchmark, delta=delta.delta, low=delta.low, high=delta.high, pooled=False, tone=tone(delta))


def _pooled(one: DomainDelta) -> Row:
    found = "down" if one.shown_down else "plain"
    return Row(label=one.label, delta=one.delta, low=one.low, high=one.high, pooled=True, tone=found)


def _round_step(rough: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at least `rough`."""
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)

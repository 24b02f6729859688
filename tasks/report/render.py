"""A report's data set in type: HTML and Markdown from Jinja templates, both escaping everything that is not theirs.

Names, questions and warnings come from users and files, so nothing of them reaches a reader as markup: HTML is escaped
by Jinja, Markdown by `escaped`, on every expression of the template. The HTML fetches nothing and runs nothing: styles
and drawings are inline, and its content policy forbids the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tasks.core.results import Comparison, ConditionedDelta, Verdict
from tasks.report import forest
from tasks.report.config import ReportData

_MINUS = "−"
#: What a verdict says of one candidate and of several, in the order of a headline.
_VERBS: dict[Verdict, tuple[str, str]] = {
    "helps": ("helps", "help"),
    "trades": ("trades one benchmark for another", "trade one benchmark for another"),
    "hurts": ("hurts", "hurt"),
    "contaminated": ("gains only on items that its rows match", "gain only on items that their rows match"),
    "no effect": ("has no effect", "have no effect"),
    "inconclusive": ("is inconclusive", "are inconclusive"),
}


def html(data: ReportData) -> str:
    """Return the report as one self-contained HTML page."""
    return _environment(markdown=False).get_template("report.html.jinja").render(_context(data))


def markdown(data: ReportData) -> str:
    """Return the report as Markdown (GitHub's tables)."""
    text = _environment(markdown=True).get_template("report.md.jinja").render(_context(data))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def headline(data: ReportData) -> str:
    """Return the verdicts of a report in one sentence."""
    candidates = data.comparison.candidates
    if len(candidates) == 1 and (gained := candidates[0].overall) is not None:
        over = "the mean of the benchmarks that decide" if len(gained.benchmarks) > 1 else gained.benchmarks[0]
        points = f"{signed(gained.delta)} points on {over} ({signed(gained.low)} to {signed(gained.high)})"
        return f"{candidates[0].name} {_VERBS[candidates[0].verdict][0]}: {points}."
    parts = []
    for verdict, (one, many) in _VERBS.items():
        if names := [candidate.name for candidate in candidates if candidate.verdict == verdict]:
            parts.append(f"{_listed(names)} {one if len(names) == 1 else many}")
    return f"{'; '.join(parts)}."


def summary_table(data: ReportData) -> list[dict[str, Any]]:
    """Return the deltas as plain rows, for a table in Prefect's UI."""
    return [
        {
            "candidate": candidate.name,
            "verdict": candidate.verdict,
            "benchmark": delta.benchmark,
            "control": round(delta.control, 2),
            "score": round(delta.candidate, 2),
            "delta": round(delta.delta, 2),
            "low": round(delta.low, 2),
            "high": round(delta.high, 2),
            "items": delta.n_items,
            "seeds": delta.n_seeds,
        }
        for candidate in data.comparison.candidates
        for delta in forest.by_domain(candidate.deltas)
    ]


def signed(points: float, digits: int = 1) -> str:
    """Return a difference with its sign, and nothing signed about zero."""
    text = f"{points:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", _MINUS)


def tick(points: float) -> str:
    """Return an axis label: as short as the number allows."""
    return f"{points:+g}".replace("-", _MINUS) if points else "0"


def share(part: float) -> str:
    """Return a share of 1 in percent."""
    return f"{100 * part:.1f} %"


def amount(number: float | None) -> str:
    """Return a number with three digits that matter, a dash for none."""
    if number is None:
        return "–"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def count(number: float | None) -> str:
    """Return a whole number with thousands apart, a dash for none."""
    return "–" if number is None else f"{number:,.0f}"


def duration(seconds: float) -> str:
    """Return a duration in the two units that matter."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def escaped(value: object) -> object:
    """Return text so that Markdown shows it as it is; numbers and what is already markup stay."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    plain = re.sub(r"\s+", " ", value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*\[\]|~])", r"\\\1", plain)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _environment(*, markdown: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("tasks.report"),
        autoescape=not markdown,
        finalize=escaped if markdown else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "signed": signed, "tick": tick, "share": share, "amount": amount, "count": count, "duration": duration,
        "tone": forest.tone,
    }  # fmt: skip
    return environment


def _matched(comparison: Comparison) -> dict[str, list[ConditionedDelta]]:
    """Return, for the candidates whose rows match an item, the conditioned deltas of the benchmarks that it is of."""
    found = {}
    for candidate in comparison.candidates:
        benchmarks = {one.benchmark for one in candidate.conditioned if one.n_matched}
        if rows := [one for one in candidate.conditioned if one.benchmark in benchmarks]:
            found[candidate.name] = sorted(rows, key=lambda one: (one.benchmark, one.threshold))
    return found


def _context(data: ReportData) -> dict[str, Any]:
    comparison = data.comparison
    warnings = [*comparison.warnings, *data.warnings]
    warnings += [f"{one.name}: {text}" for one in comparison.candidates for text in one.warnings]
    deltas = [delta for candidate in comparison.candidates for delta in candidate.deltas]
    return {
        "data": data,
        "comparison": comparison,
        "headline": headline(data),
        "axis": forest.axis(comparison),
        "groups": {candidate.name: forest.groups(candidate) for candidate in comparison.candidates},
        "ordered": {candidate.name: forest.by_domain(candidate.deltas) for candidate in comparison.candidates},
        "warnings": warnings,
        "has_bits": any(delta.bits_per_byte_control is not None for delta in deltas),
        "has_cuts": any(delta.truncated_control or delta.truncated_candidate for delta in deltas),
        "regraded": [one for one in comparison.candidates if one.regraded],
        "conditioned": [one for one in comparison.candidates if one.conditioned],
        "matched": _matched(comparison),
        "total_seconds": sum(cost.seconds for cost in data.costs),
    }

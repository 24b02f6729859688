"""A report's data set in type: HTML and Markdown from Jinja templates, both escaping everything that is not theirs.

Names, questions and warnings come from users and files, so nothing of them reaches a reader as markup: HTML is escaped
by Jinja, Markdown by `escaped`, on every expression of the template. The HTML fetches nothing and runs nothing: styles
and drawings are inline, and its content policy forbids the rest.
"""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tasks.report import forest
from tasks.report.config import ReportData

_MINUS = "−"


def html(data: ReportData) -> str:
    """Return the report as one self-contained HTML page."""
    return _environment(markdown=False).get_template("report.html.jinja").render(_context(data))


def markdown(data: ReportData) -> str:
    """Return the report as Markdown (GitHub's tables)."""
    text = _environment(markdown=True).get_template("report.md.jinja").render(_context(data))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


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
        "signed": signed, "tick": tick, "share": share, "count": count, "duration": duration, "tone": forest.tone,
    }  # fmt: skip
    return environment


def _context(data: ReportData) -> dict[str, Any]:
    comparison = data.comparison
    warnings = [*comparison.warnings, *data.warnings]
    warnings += [f"{one.name}: {text}" for one in comparison.candidates for text in one.warnings]
    deltas = [delta for candidate in comparison.candidates for delta in candidate.deltas]
    return {
        "data": data,
        "comparison": comparison,
        "axis": forest.axis(comparison),
        "groups": {candidate.name: forest.groups(candidate) for candidate in comparison.candidates},
        "ordered": {candidate.name: forest.by_domain(candidate.deltas) for candidate in comparison.candidates},
        "warnings": warnings,
        "has_bits": any(delta.bits_per_byte_control is not None for delta in deltas),
        "total_seconds": sum(cost.seconds for cost in data.costs),
    }

"""The two forms of a report against golden files, and what no report may ever do."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tasks.core.results import Comparison
from tasks.report.config import Named, ReportData
from tasks.report.render import amount, duration, escaped, headline, html, markdown, signed, summary_table

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "<script>alert(1)</script>\"'|`*[x](https://evil.example)\n# x{{ 7*7 }}"


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(data: ReportData) -> ReportData:
    first = data.comparison.candidates[0]
    deltas = (first.deltas[0].model_copy(update={"benchmark": HOSTILE, "metric": HOSTILE}), *first.deltas[1:])
    changed = first.model_copy(update={"name": HOSTILE, "sentence": HOSTILE, "warnings": (HOSTILE,), "deltas": deltas})
    comparison = data.comparison.model_copy(update={"control": HOSTILE, "candidates": (changed,)})
    facts = (Named(name=HOSTILE, value=HOSTILE),)
    [ledger, *others] = data.ledgers
    rows = tuple(row.model_copy(update={"excerpt": HOSTILE, "row_id": HOSTILE}) for row in ledger.shown[0].nearest)
    texts = ("item", "topic", "question", "gold", "control_output", "candidate_output")
    item = ledger.shown[0].model_copy(update={**dict.fromkeys(texts, HOSTILE), "nearest": rows})
    ledgers = (ledger.model_copy(update={"candidate": HOSTILE, "shown": (item, *ledger.shown[1:])}), *others)
    assert data.card is not None
    sources = tuple(one.model_copy(update={"origin": HOSTILE, "licence": HOSTILE}) for one in data.card.sources)
    steps = tuple(step.model_copy(update={"reasons": HOSTILE}) for step in data.funnels[0].steps)
    judged = tuple(
        one.model_copy(update={"groups": (one.groups[0].model_copy(update={"group": HOSTILE}), *one.groups[1:])})
        for one in data.funnels[0].judged
    )
    funnel = data.funnels[0].model_copy(update={"candidate": HOSTILE, "steps": steps, "judged": judged})
    return data.model_copy(
        update={
            "study": HOSTILE, "question": HOSTILE, "comparison": comparison, "machine": HOSTILE, "setting": facts,
            "engines": facts, "digests": facts, "warnings": (HOSTILE,), "ledgers": ledgers,
            "card": data.card.model_copy(update={"sources": sources}),
            "funnels": (funnel,),
            "drops": tuple(drop.model_copy(update={"source": HOSTILE, "reason": HOSTILE}) for drop in data.drops),
        }
    )  # fmt: skip


@pytest.mark.parametrize(("name", "render"), [("report.html", html), ("report.md", markdown)])
def test_golden(name, render, data: ReportData):
    """Set ASSAY_WRITE_GOLDEN=1 to write the files anew, then read the difference."""
    made = render(data)
    if os.environ.get("ASSAY_WRITE_GOLDEN"):
        (GOLDEN / name).write_text(made, encoding="utf-8")
    assert made == (GOLDEN / name).read_text(encoding="utf-8")


def test_html_asks_nothing_of_the_outside(data: ReportData):
    for text in (html(data), html(hostile(data))):
        page = Page(text)
        assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
        fetching = {"src", "href", "xlink:href", "srcset", "action", "data", "background", "poster"}
        assert not fetching & {name for name, _ in page.attributes}
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        styles = "".join(re.findall(r"<style>.*?</style>", text, flags=re.S))
        assert "url(" not in styles and "@import" not in styles
    assert "http://" not in html(data) and "https://" not in html(data)
    assert "default-src 'none'" in html(data)


def test_hostile_names_stay_text(data: ReportData):
    page = Page(html(hostile(data)))
    plain = Page(html(data.model_copy(update={"comparison": hostile(data).comparison})))
    assert page.tags.count("td") == plain.tags.count("td")
    assert "<script>alert(1)</script>" in page.text
    assert "x{{ 7*7 }}" in page.text and "# x49" not in page.text


def test_hostile_names_stay_text_in_markdown(data: ReportData):
    text = markdown(hostile(data))
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.rstrip().endswith("|") for line in rows)
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_every_verdict_comes_before_any_number(data: ReportData):
    text = html(data)
    for candidate in data.comparison.candidates:
        assert text.index(f">{candidate.verdict}</span>") < text.index("<figure")


def test_the_report_says_what_the_numbers_say(data: ReportData):
    """Nothing in the templates knows a verdict or a number by heart."""
    one = data.comparison.candidates[0]
    delta = one.deltas[0].model_copy(update={"delta": -7.77, "low": -9.99, "high": -5.55, "finding": "down"})
    changed = one.model_copy(update={"verdict": "hurts", "sentence": "Changed.", "deltas": (delta,), "domains": ()})
    comparison = data.comparison.model_copy(update={"candidates": (changed,)})
    for text in (html(data.model_copy(update={"comparison": comparison})),):
        assert "−7.8" in text and "−10.0 to −5.5" in text and "hurts" in text and "helps</span>" not in text


def test_a_bare_report_has_no_empty_sections(comparison: Comparison):
    unknown = {"warnings": (), "regraded": (), "conditioned": (), "disagreements": (), "overall": None}
    quiet = tuple(one.model_copy(update=unknown) for one in comparison.candidates)
    bare = ReportData(
        study="s",
        question="q",
        comparison=comparison.model_copy(update={"candidates": quiet, "filters": ()}),
        date="2026-01-01",
    )
    quiet_sections = (
        "What was trained on", "What it cost", "Read with care", "Rows left out", "What a point cost",
        "What the study could show", "looked at again", "another grader", "that the candidate's rows match",
        "What was fixed", "The validated set", "How candidates were made", "each filter is worth", "study hash",
    )  # fmt: skip
    for heading in quiet_sections:
        assert heading not in html(bare) and heading not in markdown(bare)


def test_summary_table(data: ReportData):
    rows = summary_table(data)
    assert len(rows) == 20
    assert rows[0] == {
        "candidate": "worked", "verdict": "helps", "benchmark": "steps-2-3", "control": 17.6, "score": 30.1,
        "delta": 12.5, "low": 9.8, "high": 15.2, "items": 400, "seeds": 3,
    }  # fmt: skip


def test_the_headline_is_one_sentence_over_all_candidates(data: ReportData):
    assert headline(data) == (
        "worked helps; wrong-solutions hurts; more-validated has no effect; web is inconclusive."
    )  # fmt: skip
    one = data.comparison.model_copy(update={"candidates": data.comparison.candidates[:1]})
    said = "worked helps: +6.8 points on the mean of the benchmarks that decide (+4.4 to +9.2)."
    assert headline(data.model_copy(update={"comparison": one})) == said
    both = tuple(c.model_copy(update={"verdict": "helps"}) for c in data.comparison.candidates[:2])
    together = data.comparison.model_copy(update={"candidates": both})
    assert headline(data.model_copy(update={"comparison": together})) == "worked and web help."


def test_no_overlap_anywhere_is_said_and_takes_no_table(data: ReportData):
    first = data.comparison.candidates[0]
    clean = tuple(one.model_copy(update={"n_matched": 0}) for one in first.conditioned)
    comparison = data.comparison.model_copy(update={"candidates": (first.model_copy(update={"conditioned": clean}),)})
    changed = data.model_copy(update={"comparison": comparison})
    assert "No item is matched by any row" in html(changed) and "No item is matched by any row" in markdown(changed)
    assert "Items matched" not in html(changed)


@pytest.mark.parametrize(
    ("number", "text"), [(None, "–"), (0.08149, "0.0815"), (15.0, "15"), (176470.6, "176,471"), (99.96, "100")]
)
def test_amount(number, text):
    assert amount(number) == text


@pytest.mark.parametrize(("points", "text"), [(1.26, "+1.3"), (-1.26, "−1.3"), (0.04, "0.0"), (-0.04, "0.0")])
def test_signed(points, text):
    assert signed(points) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.21, "3.2 s"), (59.97, "60.0 s"), (250, "4 min 10 s"), (3720.4, "1 h 02 min")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_escaped_leaves_numbers_alone():
    assert escaped(3) == 3
    assert escaped("a|b\nc") == "a\\|b c"

"""The report as a reader has it: in a real browser, on a phone, a tablet and a desk, in light and dark, and on paper.

Set ASSAY_SCREENSHOTS to a folder to keep a picture of each.
"""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest
from browser import open_browser

pytestmark = pytest.mark.engine

GOLDEN = Path(__file__).parents[1] / "unit" / "report" / "golden" / "report.html"
WIDTHS = (390, 768, 1400)
#: CSS pixels between the margins of A4.
PAPER = 688
#: Everything that sticks out of the page to the right, by what it is; what a scroller of its own holds does not count.
STICKING_OUT = """
[...document.querySelectorAll('body *')]
  .filter(one => !one.closest('.scroll') && !one.closest('svg') && one.getBoundingClientRect().width > 0)
  .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map(one => one.tagName + '.' + one.className + ': ' + one.textContent.trim().slice(0, 40))
"""
#: What paper would cut off at its right edge: there is nothing to scroll.
CUT = """
[...document.querySelectorAll('main *')]
  .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map(one => one.tagName + ': ' + one.textContent.trim().slice(0, 40))
"""
HIDDEN = "[...document.querySelectorAll('h1, h2, h3, .verdict')].filter(e => !e.offsetHeight).map(e => e.textContent)"
SCROLLERS = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
#: Contrast of every text with the page (WCAG 2.2, 1.4.3), the least of all.
CONTRAST = """
(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const linear = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = numbers(c).map(linear); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const page = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...[...document.querySelectorAll('h1, h2, h3, p, td, th, dt, dd, small, b, .word, code, summary')]
    .map(e => light(getComputedStyle(e).color)).map(t => (Math.max(t, page) + 0.05) / (Math.min(t, page) + 0.05)));
})()
"""
HEADINGS = (
    "Differences from control", "The numbers", "The same differences, looked at again",
    "What was fixed and what was broken", "What was trained on", "The validated set", "How candidates were made",
    "What it cost", "Where it comes from",
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_asks_for_nothing_and_shows_everything(page, width: int, scheme: str):
    page.open(GOLDEN, width, scheme)
    _keep(page, f"{width}-{scheme}")
    assert page.errors == []
    assert page.requests == [GOLDEN.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(STICKING_OUT) == []
    assert page.evaluate(HIDDEN) == []
    shown = page.evaluate("[...document.querySelectorAll('h2')].map(e => e.textContent)")
    assert [heading for heading in HEADINGS if heading not in shown] == []
    assert page.evaluate("document.querySelector('.headline').getBoundingClientRect().bottom") < 900
    assert page.evaluate(CONTRAST) > 4.5


def test_a_phone_needs_no_sideways_scrolling_at_all(page):
    page.open(GOLDEN, 390, "light")
    assert page.evaluate(SCROLLERS) == 0


def test_items_open_with_a_tap_and_still_fit(page):
    page.open(GOLDEN, 390, "dark")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    _keep(page, "390-dark-open")
    assert page.evaluate(STICKING_OUT) == []
    assert page.evaluate("[...document.querySelectorAll('.item')].every(one => one.offsetHeight > 50)")


def test_dark_is_dark_and_light_is_light(page):
    colours = []
    for scheme in ("light", "dark"):
        page.open(GOLDEN, 768, scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(252, 252, 250)", "rgb(20, 21, 23)"]


def test_paper_has_everything_too(page, tmp_path: Path):
    page.open(GOLDEN, 1400, "dark")
    file = Path(os.environ.get("ASSAY_SCREENSHOTS", tmp_path)) / "report.pdf"
    page.pdf(file)
    pages = len(re.findall(rb"/Type\s*/Page\b", file.read_bytes()))
    assert 4 <= pages <= 10  # as tables; as a phone has it, it takes sixteen
    page.open(GOLDEN, PAPER, "dark")
    page.send("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("[...document.querySelectorAll('.item')].every(one => one.offsetHeight > 50)")
        assert page.evaluate("getComputedStyle(document.querySelector('table.stack')).display") == "table"
        assert page.evaluate(CUT) == []
    finally:
        page.send("Emulation.setEmulatedMedia", media="")


def test_results_of_which_little_is_known_fit_as_well(page, tmp_path: Path):
    from tasks.report.config import ReportData
    from tasks.report.render import html

    found = _samples().bare_comparison()
    file = tmp_path / "bare.html"
    file.write_text(html(ReportData(study="theirs", question="", comparison=found, date="2026-11-21")))
    for width in WIDTHS:
        page.open(file, width, "light")
        assert page.evaluate(STICKING_OUT) == []
        assert page.evaluate(HIDDEN) == []
        assert page.evaluate(
            "[...document.querySelectorAll('section')].every(one => one.textContent.trim().length > 20)"
        )


def _samples():
    """The sample results of the unit tests."""
    path = Path(__file__).parents[1] / "unit" / "report" / "conftest.py"
    spec = importlib.util.spec_from_file_location("report_samples", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _keep(page, name: str):
    if folder := os.environ.get("ASSAY_SCREENSHOTS"):
        page.screenshot(Path(folder) / f"{name}.png")

"""The docs say what works: every file that a page shows in full is read by the real loader, every link leads somewhere.

A YAML block says on its first line which file it is (``# study.yaml``); blocks that do not are fragments.
"""

import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest

from flows.declared import declared_in, parse
from flows.orders import load_order
from flows.study import load_runtime, load_study

ROOT = Path(__file__).parents[3]
HOW_TO = ROOT / "docs" / "how-to"
RECIPES = ("distill", "failures", "retrieve", "augment")
GUIDES = ("teachers", "own-recipe", "own-study", "plan", "until-clear", "attribute-filters")
PAGES = [ROOT / "README.md", *(HOW_TO / f"{name}.md" for name in (*RECIPES, *GUIDES))]
LOADERS = {"study.yaml": load_study, "recipe.yaml": load_order, "runtime.yaml": load_runtime}

_BLOCK = re.compile(r"^( *)```(yaml|python)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(rf"{_FENCED.pattern}|`[^`\n]*`", _FENCED.flags)
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def files_in(page):
    """Yield the name and text of every YAML file that a page shows in full."""
    for _, language, text in _BLOCK.findall(page.read_text()):
        named = re.match(r"# (\w+\.yaml)\n", text)
        if language == "yaml" and named:
            yield named[1], text


SHOWN = [
    pytest.param(name, text, id=f"{page.stem}-{number}-{name}")
    for page in PAGES
    for number, (name, text) in enumerate(files_in(page))
    if name in LOADERS
]


@pytest.mark.parametrize(("name", "text"), SHOWN)
def test_a_file_that_a_page_shows_makes_sense(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    LOADERS[name](tmp_path / name)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipes_page_shows_it_alone_and_in_a_study(recipe):
    shown = dict(files_in(HOW_TO / f"{recipe}.md"))
    for name in ("recipe.yaml", "study.yaml"):
        assert f"kind: {recipe}" in shown[name]


def test_the_recipe_of_ones_own_reads_its_file(tmp_path):
    page = HOW_TO / "own-recipe.md"
    [code] = [text for _, language, text in _BLOCK.findall(page.read_text()) if language == "python"]
    (tmp_path / "rephrase.py").write_text(code)
    spec = importlib.util.spec_from_file_location("rephrase", tmp_path / "rephrase.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "rephrase.yaml").write_text(dict(files_in(page))["rephrase.yaml"])
    assert parse(module.Rephrase, declared_in(tmp_path / "rephrase.yaml"), "here").name == "rephrased"


def anchors(page):
    """Yield the anchors of a page's headings as GitHub names them: one that comes again is numbered."""
    seen = Counter()
    for heading in _HEADING.findall(_FENCED.sub("", page.read_text())):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        yield f"{slug}-{seen[slug]}" if seen[slug] else slug
        seen[slug] += 1


def leads_somewhere(page, target):
    path, _, anchor = target.partition("#")
    file = page.parent / path if path else page
    return file.exists() and (not anchor or file.suffix != ".md" or anchor in anchors(file))


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.stem
)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page):
    targets = _LINK.findall(_CODE.sub("", page.read_text()))
    own = [target for target in targets if not target.startswith(("http://", "https://", "mailto:"))]
    assert [target for target in own if not leads_somewhere(page, target)] == []


def test_a_heading_has_the_anchor_that_github_gives_it(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# What `k` is, and isn't\n\n## A_b - c\n\n```\n# no heading\n```\n\n## A_b - c\n")
    assert list(anchors(page)) == ["what-k-is-and-isnt", "a_b---c", "a_b---c-1"]

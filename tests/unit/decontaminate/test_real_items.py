"""Real benchmark items, planted in rows with and without edits, and real rows that hold none."""

import json
import random
import re
from pathlib import Path

import pytest

from tasks.decontaminate.config import DecontaminateConfig
from tasks.decontaminate.index import build_index
from tasks.decontaminate.overlap import Matcher

DATA = Path(__file__).parents[4] / "shared" / "data"
FILES = {"gsm8k": ("gsm8k/test.jsonl", "question"), "math_500": ("math500/test.jsonl", "problem")}
WEB = DATA / "web" / "c4_sample.json"
CONFIG = DecontaminateConfig()

pytestmark = pytest.mark.skipif(not WEB.exists(), reason=f"{DATA} is not there")


def load(file, field):
    return [json.loads(line)[field] for line in (DATA / file).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def items():
    return [(name, str(at), text) for name, where in FILES.items() for at, text in enumerate(load(*where))]


@pytest.fixture(scope="module")
def index(items):
    return build_index(items, CONFIG)


@pytest.fixture(scope="module")
def recall(items, index):
    """Return the share of checked items that are found in themselves after `plant`."""
    matcher, checked = Matcher(index), index.checked()

    def measure(plant):
        draw = random.Random(0)
        found = [
            any(overlap.item == number for overlap in matcher.overlaps(plant(text, draw), CONFIG.ratio))
            for number, (_, _, text) in enumerate(items)
            if checked[number]
        ]
        return sum(found) / len(found)

    return measure


def typeset_otherwise(text, draw):
    text = text.replace(r"\frac", r"\dfrac").replace("$", "$ ").replace("=", r" \; = \; ")
    return re.sub(r"(?<= )(?=[a-z])", " ", text.upper() if "\\" not in text else text)


def inside(text, draw):
    return f"{'Some other words come first, about nothing. ' * 30}{text}{' And then there is more of it. ' * 30}"


def edited(count):
    def plant(text, draw):
        words = text.split()
        for at in draw.sample(range(len(words)), min(count, len(words))):
            words[at] = "replaced"
        return " ".join(words)

    return plant


def test_few_items_are_too_short_to_be_checked(index):
    assert (~index.checked()).sum() <= 5


@pytest.mark.parametrize("plant", [typeset_otherwise, inside, edited(0)], ids=["typeset", "inside", "copy"])
def test_every_copy_is_found_however_it_is_typeset_and_wherever_it_is(recall, plant):
    assert recall(plant) == 1


@pytest.mark.parametrize(("edits", "least"), [(1, 0.9), (2, 0.75)])
def test_most_edited_copies_are_found(recall, edits, least):
    assert recall(edited(edits)) >= least


def test_web_pages_hold_no_item(index):
    matcher = Matcher(index)
    pages = [page["text"] for page in json.loads(WEB.read_text("utf-8"))]
    assert len(pages) == 300
    assert [found for page in pages for found in matcher.overlaps(page, CONFIG.report_ratio)] == []


def test_the_training_split_of_gsm8k_holds_one_item_of_its_test_split(index):
    """Two training rows ask item 602 in other numbers; by ratio 0.5 nothing else of 7,473 rows is in it."""
    matcher = Matcher(index)
    found = [matcher.overlaps(text, CONFIG.ratio) for text in load("gsm8k/train.jsonl", "question")]
    assert [index.items[row[0].item] for row in found if row] == [("gsm8k", "602")] * 2

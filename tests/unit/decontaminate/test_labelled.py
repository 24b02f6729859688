"""55 rows that a person labelled as giving an item away or not, with what n-grams cannot see marked as known."""

import json
from pathlib import Path

import pytest

from tasks.decontaminate.config import DecontaminateConfig

LABELLED = json.loads(Path(__file__).with_name("labelled.json").read_text("utf-8"))


@pytest.mark.parametrize("row", LABELLED["rows"], ids=lambda row: row["why"].replace(" ", "-"))
def test_the_label_holds_unless_it_is_a_known_limit(ratios, row):
    found = row["item"] in ratios(LABELLED["items"], row["row"], least=DecontaminateConfig().ratio)
    assert found == (row["contaminated"] if "known" not in row else not row["contaminated"])


def test_there_are_enough_of_both():
    labels = [row["contaminated"] for row in LABELLED["rows"]]
    assert len(labels) >= 50
    assert labels.count(True) >= 20 <= labels.count(False)

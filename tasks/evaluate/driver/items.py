"""Lists a benchmark's items by their own words: OpenCompass's reader says which columns a question is made of."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.evaluate.driver.plan import Subset
from tasks.evaluate.engine import Suite
from tasks.evaluate.items import Item, item_rows
from tasks.evaluate.naming import cluster_name, gold_answer, item_name

#: A reader's column that is not of the question: MMLU-Pro's worked answers of the few-shot examples.
_NOT_ASKED = ("cot_content",)


def listed(suite: Suite, plan: list[Subset]) -> Iterator[dict[str, str]]:
    """Yield the rows of `ITEMS` of a benchmark, in its order; of the variants of one question, the first."""
    for subset in plan:
        columns = [name for name in subset.config["reader_cfg"]["input_columns"] if name not in _NOT_ASKED]
        before = ""
        for index, row in enumerate(subset.rows):
            group = cluster_name(suite, subset.abbr, row) if suite.cluster == "question" else ""
            if not group or group != before:
                item = Item(
                    item_name(subset.abbr, index, row), [row[name] for name in columns], gold_answer(suite, row)
                )
                yield from item_rows(suite.name, item)
            before = group

"""Which of OpenCompass's datasets a benchmark is, and how many rows of each are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmengine.config import ConfigDict
from opencompass.utils import build_dataset_from_cfg

from tasks.evaluate.driver.suites import datasets_of
from tasks.evaluate.engine import Suite
from tasks.evaluate.shares import shares


@dataclass(frozen=True)
class Subset:
    """One dataset: its configuration, the rows that are asked, and the options' labels where the model chooses by
    likelihood (else empty)."""

    config: dict[str, Any]
    rows: Any
    labels: tuple[str, ...]

    @property
    def abbr(self) -> str:
        return str(self.config["abbr"])

    @property
    def chosen(self) -> str:
        """The column of the gold option, where the model chooses one by likelihood."""
        return str(self.config["reader_cfg"]["output_column"]) if self.labels else ""

    @property
    def passes(self) -> int:
        """How many texts are computed: one a label or an answer, and one more for the gold answer's bits."""
        return len(self.rows) * (max(1, len(self.labels)) + 1)


def planned(suite: Suite, profile: str) -> list[Subset]:
    """Return the datasets of a suite that have rows to ask.

    Raises:
        ValueError: where the files hold another number of items than the whole benchmark has.
    """
    configs = datasets_of(suite, profile)
    loaded = [build_dataset_from_cfg(ConfigDict(config)).test for config in configs]
    takes = _takes(suite, configs, [len(rows) for rows in loaded])
    return [
        Subset(config, rows.select(range(take)), _labels(config))
        for config, rows, take in zip(configs, loaded, takes, strict=True)
        if take
    ]


def _takes(suite: Suite, configs: list[dict[str, Any]], sizes: list[int]) -> list[int]:
    """How many rows to take of each subset. A limit counts items, and the variants of one question are one item."""
    per_item = [4 if config.get("with_circular") and "single_choice" in config["name"] else 1 for config in configs]
    items = [size // per for size, per in zip(sizes, per_item, strict=True)]
    expected = " or ".join(map(str, suite.items))
    if suite.items and sum(items) not in suite.items:
        raise ValueError(
            f"{suite.name} has {sum(items)} items in these files, and should have {expected}: complete the files, "
            "or set `limit` or `subsets` to declare that you want fewer"
        )
    return [share * per for share, per in zip(shares(items, suite.limit), per_item, strict=True)]


def _labels(config: dict[str, Any]) -> tuple[str, ...]:
    template = config["infer_cfg"]["prompt_template"]["template"]
    by_likelihood = config["infer_cfg"]["inferencer"]["type"].__name__ == "PPLInferencer"
    return tuple(template) if by_likelihood else ()

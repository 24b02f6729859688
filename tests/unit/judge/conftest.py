import json
from pathlib import Path

import pytest

from tasks.judge.engine import Finding

LABELLED = [json.loads(line) for line in (Path(__file__).parent / "labelled.jsonl").read_text("utf-8").splitlines()]


class ScriptedComparer:
    """Stands in for Math-Verify: decides nothing, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def compare(self, gold, answer):
        self.asked.append((gold, answer))
        return Finding("undecided", "scripted", f"{answer} for {gold}")


@pytest.fixture
def engine():
    return ScriptedComparer()


@pytest.fixture(scope="session")
def labelled():
    return LABELLED

"""Which failures of the stage Prefect tries again."""

import asyncio

import pytest

from tasks.core.errors import BudgetReached, DataError, EngineError, InfrastructureError, OutageError
from tasks.generate.task import generate


class State:
    def __init__(self, error):
        self.error = error

    async def aresult(self, *, raise_on_failure):
        assert not raise_on_failure
        return self.error


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (InfrastructureError("an engine died while it loaded"), True),
        (OutageError("engines died nine times in a row"), False),  # that was tried again as often as was asked for
        (EngineError("no such model"), False),
        (DataError("no chat template"), False),
        (BudgetReached("max_cost"), False),
        (RuntimeError("a fault of the program"), False),
    ],
)
def test_only_what_may_pass_and_was_not_tried_again_is_tried_again(error, again):
    assert asyncio.run(generate.retry_condition_fn(None, None, State(error))) is again

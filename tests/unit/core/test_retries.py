"""Which failures Prefect tries again, and that it is told."""

import asyncio
from types import SimpleNamespace

import pytest
from prefect.states import Failed

from tasks.anneal.task import anneal_arms
from tasks.core.errors import (
    BudgetReached,
    DataError,
    EngineError,
    InfrastructureError,
    IntegrityError,
    OutageError,
)
from tasks.core.retries import is_worth_a_retry
from tasks.embed.task import embed
from tasks.evaluate.task import benchmark_items, evaluate_models, record_prompts
from tasks.generate.task import generate
from tasks.ingest.task import ingest

RETRIED = [anneal_arms, benchmark_items, embed, evaluate_models, generate, ingest, record_prompts]


def asked(error):
    run = SimpleNamespace(run_count=1)
    return asyncio.run(is_worth_a_retry(ingest, run, Failed(data=error)))


@pytest.mark.parametrize(
    "error",
    [
        OutageError("engines died nine times in a row"),  # that was tried again as often as was asked for
        EngineError("no such model"),
        DataError("no chat template"),
        IntegrityError("stale"),
        BudgetReached("max_cost"),
        RuntimeError("a fault of the program"),
    ],
)
def test_what_would_only_fail_again_is_not_tried_again(error, capsys):
    assert asked(error) is False
    assert capsys.readouterr().err == ""


def test_what_failed_for_the_machines_sake_is_tried_again_and_one_line_says_why(capsys):
    assert asked(InfrastructureError("the hub cannot be reached\n--- end of its log ---", remedy="wait")) is True
    [line] = capsys.readouterr().err.splitlines()
    assert line == "   ingest  try 1 of 3 failed, and another follows: the hub cannot be reached"


@pytest.mark.parametrize("task", RETRIED, ids=lambda task: task.name)
def test_every_stage_whose_machine_can_fail_has_the_rule(task):
    assert task.retries == 2
    assert task.retry_condition_fn is is_worth_a_retry

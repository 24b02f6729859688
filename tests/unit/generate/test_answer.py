"""The stage with a scripted engine: what is published, what a fault costs, what a cap stops, what a kill leaves."""

from collections import deque

import pytest
from pydantic import ValidationError

from tasks.core.errors import BudgetReached, OutageError, StudyError
from tasks.core.rows import read_rows, read_tables
from tasks.generate.answer import answer
from tasks.generate.artifact import identity
from tasks.generate.budget import Spent
from tasks.generate.config import STAGE_VERSION, GenerateConfig, GenerateRuntime
from tasks.generate.engine import Lost
from tasks.generate.shards import cut
from tests.unit.generate.conftest import Scripted, prompts, publish

RUNTIME = GenerateRuntime(max_requeues=2)

#: The digest of the answers to a fixed set of requests. If it changes, raise STAGE_VERSION.
PINNED = (3, "f3dda09d6c4851b9e636e0c5fb3d0dcd17e9536f23cedd543c62f2e22a22c2f8")


def quiet(_): ...


def ask(store, config, requests, engine, runtime=RUNTIME, report=quiet, **before):
    return answer("script", config, requests, runtime, store, report=report, open_engine=engine, **before)


def test_the_digest_is_pinned(store, config):
    ref = ask(store, config, publish(store, prompts(30)), Scripted())
    assert (STAGE_VERSION, ref.digest) == PINNED


def test_outcomes_and_drops_are_whole_and_in_order(store, config):
    rows = prompts(21)
    rows[5]["prompt"], rows[9] = " \n", rows[9] | {"prompt": None, "messages": []}
    ref = ask(store, config, publish(store, rows), Scripted())
    answers = list(read_rows(store.folder(ref)))
    assert [row["text"] for row in answers] == [r["prompt"][::-1] for n, r in enumerate(rows) if n not in (5, 9)]
    drops = list(read_rows(store.folder(ref) / "dropped"))
    assert [(drop["row_id"], drop["source"], drop["reason"]) for drop in drops] == [
        ("q5", "script", "empty prompt"), ("q9", "script", "empty prompt"),
    ]  # fmt: skip
    manifest = store.manifest(ref)
    assert (manifest.num_rows, manifest.num_dropped) == (19, 2)
    assert manifest.provenance["output_tokens"] == sum(len(row["text"]) for row in answers)
    assert manifest.provenance["engines"] == {"scripted": "1"}
    assert manifest.provenance["dropped"] == {"empty prompt": 2}
    timings = list(read_rows(store.folder(ref) / "logs" / "shards"))
    assert [row["shard"] for row in timings] == list(range(6))
    assert sum(row["seconds"] for row in timings) == manifest.provenance["seconds"] == 3.0


def test_what_is_in_the_store_is_not_asked_again(store, config):
    requests, engine, seen = publish(store, prompts(9)), Scripted(), []
    first = ask(store, config, requests, engine)
    assert ask(store, config, requests, engine, report=seen.append) == first
    assert engine.opened == 1
    assert seen[0].state == "cached"


def test_no_requests_are_no_answers(store, config):
    engine = Scripted()
    ref = ask(store, config, publish(store, []), engine)
    assert list(read_rows(store.folder(ref))) == []
    assert engine.opened == 0


def test_lost_shards_are_asked_again_and_change_nothing(store, config, tmp_path):
    requests = publish(store, prompts(30))
    whole = ask(store, config, requests, Scripted())
    other = type(store)(tmp_path / "other")
    again = ask(other, config, publish(other, prompts(30)), Scripted(faults=2))
    assert again.digest == whole.digest
    assert other.manifest(again).provenance["requeues"] == 2


def test_only_the_row_that_kills_its_engine_is_set_aside(store, config):
    engine = Scripted(poison=["q6"])
    ref = ask(store, config, publish(store, prompts(12)), engine)
    assert [row["row_id"] for row in read_rows(store.folder(ref))] == [f"q{n}" for n in range(12) if n != 6]
    (drop,) = read_rows(store.folder(ref) / "dropped")
    assert (drop["row_id"], drop["reason"]) == ("q6", "engine lost")
    assert "killed by the script" in drop["detail"]
    together = [rows for rows in engine.asked if "q6" in rows and len(rows) > 1]
    assert len(together) == RUNTIME.max_requeues + 1
    assert engine.asked.count(["q6"]) == 1


def test_engines_that_only_die_are_an_error_and_not_drops(store, config):
    with pytest.raises(OutageError, match=r"answered (nothing|meanwhile); the last: killed by the script"):
        ask(store, config, publish(store, prompts(200)), Scripted(faults=10_000))


def test_an_engine_that_dies_of_every_row_at_the_end_costs_no_row(store, config):
    """A shard has few rows, fewer than the deaths that are an outage by themselves."""
    requests, config = publish(store, prompts(18)), config.model_copy(update={"shard_rows": 2})
    *_, last = cut(read_tables(store.folder(requests)), config.shard_rows)
    with pytest.raises(OutageError, match="each of the 2 rows of a shard failed alone, and nothing was answered"):
        ask(store, config, requests, Scripted(poison=last.rows["row_id"].to_pylist()))
    ref = ask(store, config, requests, Scripted())
    assert (ref.num_rows, store.manifest(ref).num_dropped) == (18, 0)


def test_what_is_lost_at_once_is_no_row_of_losses(store, config):
    """An endpoint holds many shards: when it is away for a while it loses all of them together, several times."""

    class Away(Scripted):
        def wait(self, seconds):
            if self.faults:
                self.faults -= 1
                lost, self.given = list(self.given), deque()
                return [Lost(attempt, "away", True) for attempt in lost]
            return super().wait(seconds)

    ref = ask(store, config, publish(store, prompts(120)), Away(faults=2, depth=30))
    assert (ref.num_rows, store.manifest(ref).num_dropped) == (120, 0)


def test_what_is_asked_again_and_why_is_told(store, config):
    seen = []
    ask(store, config, publish(store, prompts(30)), Scripted(faults=2), report=seen.append)
    assert (seen[-1].requeues, seen[-1].trouble) == (2, "killed by the script")
    assert (seen[0].requeues, seen[0].where) == (0, "script on 1 x 1 CPU")


def test_a_cap_stops_cleanly_and_a_higher_one_goes_on(store, config, tmp_path):
    requests, rows = publish(store, prompts(40)), 40
    whole = ask(type(store)(tmp_path / "w"), config, publish(type(store)(tmp_path / "w"), prompts(40)), Scripted())
    with pytest.raises(BudgetReached, match=r"script: max_tokens: .* requests are answered and kept") as stopped:
        ask(store, config, requests, Scripted(), GenerateRuntime(max_tokens=400))
    assert stopped.value.exit_code == 7
    refused = Scripted()
    with pytest.raises(BudgetReached):
        ask(store, config, requests, refused, GenerateRuntime(max_tokens=400))
    assert refused.opened == 0
    seen, engine = [], Scripted()
    ref = ask(store, config, requests, engine, GenerateRuntime(max_tokens=10**6), seen.append)
    assert 0 < seen[0].rows < rows == seen[-1].rows
    assert sum(map(len, engine.asked)) == rows - seen[0].rows
    assert ref.digest == whole.digest


def test_a_cost_cap_counts_the_devices_of_ones_own_engines_and_no_tokens(store, config):
    runtime = GenerateRuntime(prompt_price=1e6, device_price=7200.0, cpus_per_actor=0.5, max_cost=1.0)
    with pytest.raises(BudgetReached, match=r"max_cost: 1.00 of 1.00 is spent; 8 of 20"):  # 0.5 s a shard
        ask(store, config, publish(store, prompts(20)), Scripted(), runtime)


@pytest.mark.parametrize("depth", [2, 8, 100])
def test_a_cap_is_passed_by_a_shard_however_many_an_engine_could_hold(store, config, depth):
    requests = [row | {"prompt": "x" * 25} for row in prompts(80)]  # 200 tokens a shard of 4, there and back
    with pytest.raises(BudgetReached, match=r"max_tokens: 1,000 of 900 tokens are spent; 20 of 80"):
        ask(store, config, publish(store, requests), Scripted(depth=depth), GenerateRuntime(max_tokens=900))


def test_without_a_cap_an_engine_is_filled_up(store, config):
    held = []
    engine = Scripted(depth=8, before_answer=lambda _: held.append(len(engine.given)))
    ask(store, config, publish(store, prompts(40)), engine)
    assert held[0] == 7  # and the one that is answered


def test_a_cap_is_over_what_the_run_spent_before_too(store, config):
    requests = publish(store, prompts(40))
    runtime = GenerateRuntime(max_tokens=5000, device_price=1.0, max_cost=9.0)
    for before, says in (
        (Spent(tokens=5000), r"max_tokens: 5,000 of 5,000 tokens are spent, 5,000 of them on earlier steps; 0 of 40"),
        (Spent(cost=9.5), r"max_cost: 9.50 of 9.00 is spent, 9.50 of it on earlier steps; 0 of 40"),
    ):
        engine = Scripted()
        with pytest.raises(BudgetReached, match=says):
            ask(store, config, requests, engine, runtime, before=before)
        assert engine.opened == 0
    with pytest.raises(BudgetReached, match="4,900 of them on earlier steps"):
        ask(store, config, requests, Scripted(), runtime, before=Spent(tokens=4900))
    ref = ask(store, config, requests, Scripted(), RUNTIME)
    again = ask(store, config, requests, Scripted(), runtime, before=Spent(tokens=10**9))
    assert ref == again  # what is there costs nothing


def test_a_killed_run_goes_on_from_its_committed_shards(store, config):
    requests = publish(store, prompts(40))

    def die(attempt):
        if attempt.shard == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(store, config, requests, Scripted(before_answer=die))
    engine = Scripted()
    ask(store, config, requests, engine)
    assert len(engine.asked) == 4


def test_a_scripted_teacher_answers_only_where_a_test_brings_it(store, config):
    with pytest.raises(StudyError, match="unit tests only"):
        answer("script", config, publish(store, prompts(3)), RUNTIME, store, report=quiet)


def test_the_identity_is_what_changes_answers_and_nothing_else(config):
    from tasks.core.store import ArtifactRef

    requests = ArtifactRef(path="p", digest="d", num_rows=3)
    key = identity(config, requests, "m").key
    for changed in (
        {"sampling": {"temperature": 0.5}}, {"shard_rows": 5},
        {"model": {"engine": "scripted", "endpoint_model": "o"}},
        {"model": {"engine": "scripted", "endpoint_model": "script", "dtype": "float32"}},
    ):  # fmt: skip
        other = GenerateConfig.model_validate(config.model_dump() | changed)
        assert identity(other, requests, "m").key != key
    assert identity(config, requests, "another").key != key
    with pytest.raises(ValidationError):
        GenerateConfig(model=config.model, sampling={}, actors=2)

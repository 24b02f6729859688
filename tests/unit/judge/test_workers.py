"""How many processes compare answers, and which of them start. None does here."""

import pytest
from pydantic import ValidationError

from tasks.judge.config import JudgeRuntime
from tasks.judge.engine import Finding
from tasks.judge.workers import Workers


@pytest.fixture
def cores(monkeypatch):
    def have(count):
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(count)))

    return have


@pytest.mark.parametrize("count", [1, 2, 64])
def test_there_is_a_process_for_each_core_that_may_be_used(cores, count):
    cores(count)
    assert JudgeRuntime().processes == count
    assert JudgeRuntime(workers=3).processes == 3


def test_there_is_one_at_least():
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        JudgeRuntime(workers=0)


def test_only_as_many_start_as_are_needed_at_once():
    class Worker:
        asked = 0

        def compare(self, gold, answer):
            self.asked += 1
            return Finding("right", "math", "")

        def stop(self): ...

    with Workers(8, deadline=1) as engine:
        workers = [Worker() for _ in range(8)]
        while not engine._free.empty():
            engine._free.get()
        for worker in workers:
            engine._free.put(worker)
        for _ in range(20):
            engine.compare("x", "y")
    assert sorted(worker.asked for worker in workers) == [0] * 7 + [20]

"""How a driver and its workers share a queue, and what a fit's end means."""

import threading

import pytest

from tasks.anneal import desk
from tasks.anneal.engine import Progress
from tasks.anneal.ray_errors import mapped
from tasks.core.errors import EngineError, InfrastructureError, IntegrityError


class ActorDiedError(Exception):
    """Named as Ray's."""


class WorkerGroupError(Exception):
    """Shaped as Ray Train's."""

    def __init__(self, failures):
        super().__init__("workers failed")
        self.worker_failures = failures


@pytest.fixture
def run(tmp_path):
    (tmp_path / "queue").mkdir()
    return tmp_path


def test_each_job_is_taken_once(run):
    for number in range(1, 6):
        (run / "queue" / f"{number:06d}.json").touch()
    desk.close(run)
    first, second = desk.Desk(run, 0).claims(0), desk.Desk(run, 1).claims(0)
    taken = [next(first), next(second), next(first), *second, *first]
    assert taken == [1, 2, 3, 4, 5]


def test_an_idle_queue_closes_itself(run):
    assert list(desk.Desk(run, 0).claims(idle_seconds=0.05)) == []
    assert (run / "closed").exists()


def test_followers_do_what_the_leader_decides(run):
    leader, seen = desk.Desk(run, 0), []
    follower = threading.Thread(target=lambda: seen.extend(desk.Desk(run, 0).decisions()))
    follower.start()
    leader.decide(3, "train")
    leader.decide(4, "skip")
    leader.decide(0, "stop")
    follower.join(timeout=5)
    assert seen == [(3, "train"), (4, "skip")]


def test_progress_is_read_once_and_whole(run):
    seen = {}
    worker = desk.Desk(run, 0)
    worker.report(1, Progress("arm", "training", 1, 9, 2.5))
    assert desk.new_progress(run, seen) == [(1, Progress("arm", "training", 1, 9, 2.5))]
    with (run / "group-0" / "progress").open("a") as file:
        file.write('[1, {"job": "ar')
    assert desk.new_progress(run, seen) == []
    with (run / "group-0" / "progress").open("a") as file:
        file.write('m", "state": "finished"}]\n')
    assert desk.new_progress(run, seen) == [(1, Progress("arm", "finished"))]


def failed(run, rank=0, number=1, kind="", message="RuntimeError: no", remedy=""):
    desk.fail(run, desk.Failure(rank, number, "arm", kind, message, remedy))
    (run / f"worker-{rank}.log").write_text("one line\nthe last line\n")


def test_a_dead_worker_is_the_machines_failure(run):
    failed(run)
    error = mapped(WorkerGroupError({1: ActorDiedError("gone")}), run, {1})
    assert isinstance(error, InfrastructureError)
    assert "annealing 'arm': worker 1 died" in error.message


@pytest.mark.parametrize("said", ["Connection closed by peer [127.0.0.1]:9", "Timed out waiting 1800000ms"])
def test_a_lost_peer_is_the_machines_failure(run, said):
    failed(run, message=f"RuntimeError: {said}")
    assert isinstance(mapped(WorkerGroupError({}), run, {1}), InfrastructureError)


def test_what_a_worker_raised_is_the_engines_with_its_log(run):
    failed(run)
    error = mapped(WorkerGroupError({0: RuntimeError("no")}), run, {1})
    assert type(error) is EngineError
    assert "annealing 'arm': RuntimeError: no" in error.message and "the last line" in error.message


def test_too_little_gpu_memory_names_what_to_change(run):
    failed(run, message="OutOfMemoryError: CUDA out of memory")
    error = mapped(WorkerGroupError({0: RuntimeError("no")}), run, {1})
    assert type(error) is EngineError and "micro_batch" in error.remedy


def test_our_own_errors_come_through_as_they_were(run):
    failed(run, kind="IntegrityError", message="another pack", remedy="pack again")
    error = mapped(WorkerGroupError({0: RuntimeError("x")}), run, {1})
    assert type(error) is IntegrityError and (error.message, error.remedy) == ("another pack", "pack again")


def test_another_queues_failure_is_worth_a_retry(run):
    failed(run, number=7, kind="IntegrityError", message="another pack")
    assert isinstance(mapped(WorkerGroupError({}), run, {1, 2}), InfrastructureError)

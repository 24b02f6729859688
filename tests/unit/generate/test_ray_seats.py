"""What actors ask of Ray, and which seats a run takes. Ray is never started."""

from importlib import import_module
from types import SimpleNamespace

import pytest

from tasks.generate import ray_seats
from tasks.generate.config import GenerateRuntime, Teacher
from tasks.generate.ray_cluster import actor_environment
from tasks.generate.ray_seats import Seat, bundles, take_seats

TEACHER = Teacher(path="m")
SPLIT = GenerateRuntime(gpus_per_actor=4, tensor_parallel=4, cpus_per_actor=8)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, [{"CPU": 1.0, "GPU": 0.0}]),
        ({"cpus_per_actor": 6}, [{"CPU": 6.0, "GPU": 0.0}]),
        ({"gpus_per_actor": 1, "cpus_per_actor": 2}, [{"CPU": 2.0, "GPU": 1.0}]),
        ({"gpus_per_actor": 0.5}, [{"CPU": 1.0, "GPU": 0.5}]),  # two engines share a GPU
        ({"gpus_per_actor": 2, "tensor_parallel": 2, "cpus_per_actor": 3}, [{"CPU": 1.5, "GPU": 1.0}] * 2),
    ],
)
def test_an_actor_takes_a_bundle_for_each_gpu_that_its_engine_is_split_over(options, asked):
    assert bundles(GenerateRuntime(**options)) == asked


@pytest.mark.parametrize("runtime", [GenerateRuntime(gpus_per_actor=0.5, cpus_per_actor=2), SPLIT])
def test_actors_of_a_number_take_as_much_as_the_cluster_was_checked_for(runtime):
    taken = bundles(runtime)
    assert sum(part["CPU"] for part in taken) == runtime.cpus_per_actor
    assert sum(part["GPU"] for part in taken) == runtime.gpus_per_actor


def test_an_engine_on_one_device_asks_for_it_and_needs_no_group():
    options, group = ray_seats._options(GenerateRuntime(gpus_per_actor=0.5, cpus_per_actor=2))
    assert (options, group) == ({"num_cpus": 2.0, "num_gpus": 0.5}, None)


def test_an_engine_that_is_split_sits_in_a_group_of_its_own_with_its_workers(monkeypatch):
    monkeypatch.setattr(
        import_module("ray.util.placement_group"),  # `ray.util` has a function of the same name
        "placement_group",
        lambda bundles, strategy: SimpleNamespace(bundles=bundles, strategy=strategy),
    )
    options, group = ray_seats._options(SPLIT)
    assert (group.bundles, group.strategy) == ([{"CPU": 2.0, "GPU": 1.0}] * 4, "PACK")
    where = options.pop("scheduling_strategy")
    assert options == {"num_cpus": 0, "num_gpus": 0}  # the bundles hold what it takes
    assert where.placement_group is group and where.placement_group_bundle_index == 0
    assert where.placement_group_capture_child_tasks  # vLLM's own workers find their GPUs there


@pytest.mark.parametrize(("cpus", "threads"), [(0.5, "1"), (1, "1"), (6, "6")])
def test_an_engine_computes_with_as_many_threads_as_it_takes_cores(cpus, threads):
    assert actor_environment(GenerateRuntime(cpus_per_actor=cpus), offline=True)["OMP_NUM_THREADS"] == threads


@pytest.fixture
def ended(monkeypatch):
    """The seats that were ended; new ones start nothing, and none is warm."""
    found = []

    def new_seat(teacher, runtime):
        return Seat(None, ray_seats._kind(teacher, runtime), "", None, None, 0.0)

    monkeypatch.setattr(ray_seats, "new_seat", new_seat)
    monkeypatch.setattr(ray_seats, "end_seat", found.append)
    monkeypatch.setattr(ray_seats, "_parked", [])
    return found


def test_there_are_as_many_actors_as_are_declared_warm_ones_among_them(ended):
    first = take_seats(TEACHER, GenerateRuntime(actors=2))
    ray_seats._parked.extend(first)
    again = take_seats(TEACHER, GenerateRuntime(actors=3))
    assert len(first) == 2 and len(again) == 3
    assert again[:2] == first and ended == []


@pytest.mark.parametrize(
    ("teacher", "runtime"), [(Teacher(path="other"), GenerateRuntime()), (TEACHER, GenerateRuntime(cpus_per_actor=2))]
)
def test_engines_of_another_teacher_or_place_make_room(ended, teacher, runtime):
    warm = take_seats(TEACHER, GenerateRuntime())
    ray_seats._parked.extend(warm)
    assert take_seats(teacher, runtime) != warm
    assert ended == warm


def test_what_changes_no_engine_keeps_it_warm(ended):
    warm = take_seats(TEACHER, GenerateRuntime())
    ray_seats._parked.extend(warm)
    assert take_seats(TEACHER, GenerateRuntime(deadline_seconds=9, max_tokens=5)) == warm

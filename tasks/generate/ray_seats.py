"""Ray actors that hold a vLLM engine: how one is placed and started, and how it is ended wherever its processes are.

With `tensor_parallel` above one an actor gets a placement group of its own, one bundle a GPU, packed onto as few nodes
as they fit, and vLLM starts its workers inside it. That, like all else that needs a GPU, has not been run on the
machine this was written on.

Loading a model costs more than answering a few shards, and recipes ask several times. So engines that are done are
kept for `keep_warm` seconds, for a next run that asks the same teacher in the same place; one that asks another ends
them first.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tasks.core.identity import fingerprint
from tasks.generate.config import GenerateRuntime, Teacher
from tasks.generate.engine import Attempt
from tasks.generate.ray_cluster import actor_environment
from tasks.generate.reaper import MARK, new_mark, reap
from tasks.generate.vllm_engine import CPU_ENVIRONMENT, Placement, VllmEngine

#: Attempts in an actor's hands at most: one is computed, the next is read and tokenised meanwhile; of those that are
#: streamed so many that requests wait for a place in the engine while the slowest answers of the first end.
DEPTH, STREAM_DEPTH = 2, 4
_REAP_SECONDS = 60.0
_parking = threading.Lock()
_parked: list[Seat] = []
_clock: threading.Timer | None = None


@dataclass(eq=False)
class Seat:
    """The place of one actor: who sits there, what it was given in which order, and since when it is at the first.

    `opening` is what Ray returns once the model is loaded; `node` and `versions` are known from then on. `finished` is
    how many requests the actor had finished when it was last asked, `pulse` what Ray returns where it is being asked.
    """

    actor: Any
    kind: str
    mark: str
    group: Any
    opening: Any
    since: float
    open: bool = False
    node: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    given: dict[Any, Attempt] = field(default_factory=dict)
    finished: int = 0
    pulse: Any = None
    felt: float = 0.0

    @property
    def awaited(self) -> list[Any]:
        """What Ray is to return."""
        if not self.open:
            return [self.opening]
        return [*self.given, *([] if self.pulse is None else [self.pulse])]


class _Actor(VllmEngine):
    """A `VllmEngine` that says where it is."""

    def open(self) -> Any:
        import ray

        return ray.get_runtime_context().get_node_id(), super().open()


def take_seats(teacher: Teacher, runtime: GenerateRuntime) -> list[Seat]:
    """Return as many seats as `runtime` says: warm ones of that kind, and new ones. Other warm ones are ended."""
    with _parking:
        mine = [seat for seat in _parked if seat.kind == _kind(teacher, runtime)][: runtime.actors]
        others = [seat for seat in _parked if seat not in mine]
        _parked.clear()
    for seat in others:
        end_seat(seat)
    return [*mine, *(new_seat(teacher, runtime) for _ in range(runtime.actors - len(mine)))]


def park_seats(seats: list[Seat], keep_warm: float) -> None:
    """Keep idle seats for so many seconds."""
    global _clock
    with _parking:
        _parked.extend(seats)
        if _clock is not None:
            _clock.cancel()
        _clock = threading.Timer(keep_warm, release_seats)
        _clock.daemon = True
        _clock.start()


def release_seats() -> None:
    """End all warm engines."""
    with _parking:
        seats = list(_parked)
        _parked.clear()
    for seat in seats:
        end_seat(seat)


def new_seat(teacher: Teacher, runtime: GenerateRuntime) -> Seat:
    """Start an actor, which begins to load its model."""
    import ray

    placement = Placement(runtime.gpus_per_actor > 0, runtime.tensor_parallel, runtime.gpu_memory_utilization)
    mark = new_mark()
    environment = actor_environment(runtime, offline=teacher.path is not None) | {MARK: mark}
    if not placement.gpu:
        environment |= CPU_ENVIRONMENT
    options, group = _options(runtime)
    actor = (
        ray.remote(_Actor)
        .options(runtime_env={"env_vars": environment}, max_concurrency=STREAM_DEPTH + 2, max_restarts=0, **options)
        .remote(teacher, placement)
    )
    return Seat(actor, _kind(teacher, runtime), mark, group, actor.open.remote(), time.monotonic())


def end_seat(seat: Seat) -> None:
    """Kill all processes of an actor, wherever they are, and give back what it held of the cluster."""
    import ray

    reap(seat.mark)
    if not ray.is_initialized():  # Ray was stopped meanwhile, and all its actors with it
        return
    _reap_elsewhere(seat)
    ray.kill(seat.actor)
    if seat.group is not None:
        ray.util.remove_placement_group(seat.group)


def _kind(teacher: Teacher, runtime: GenerateRuntime) -> str:
    """Return what makes one engine as good as another."""
    names = ("cpus_per_actor", "gpus_per_actor", "tensor_parallel", "ray_address", "gpu_memory_utilization")
    return fingerprint([teacher, {name: getattr(runtime, name) for name in names}])


def bundles(runtime: GenerateRuntime) -> list[dict[str, float]]:
    """Return what an actor takes of the cluster: all in one, or as many equal parts as its engine is split over."""
    parts = runtime.tensor_parallel
    return [{"CPU": runtime.cpus_per_actor / parts, "GPU": runtime.gpus_per_actor / parts}] * parts


def _options(runtime: GenerateRuntime) -> tuple[dict[str, Any], Any]:
    """Return what an actor asks Ray for, and the placement group made for it."""
    parts = bundles(runtime)
    if len(parts) == 1:
        return {"num_cpus": parts[0]["CPU"], "num_gpus": parts[0]["GPU"]}, None
    from ray.util.placement_group import placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    group = placement_group(parts, strategy="PACK")
    strategy = PlacementGroupSchedulingStrategy(group, 0, placement_group_capture_child_tasks=True)
    return {"num_cpus": 0, "num_gpus": 0, "scheduling_strategy": strategy}, group


def _reap_elsewhere(seat: Seat) -> None:
    """Reap on the other nodes that an actor may have processes on, by tasks that take no core."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    others = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["NodeID"] != here]
    if seat.group is None:
        others = [node for node in others if node == seat.node or not seat.node]
    tasks = [
        ray.remote(reap).options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
        for node in others
    ]
    if tasks:
        ray.wait([task.remote(seat.mark) for task in tasks], num_returns=len(tasks), timeout=_REAP_SECONDS)

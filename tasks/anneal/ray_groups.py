"""Process groups inside one Ray Train fit: several jobs side by side, each on workers of its own.

Ray Train joins all workers of a fit into one process group. Small models leave a machine idle that way, so here the
workers are dealt into groups of `group_size`, each a process group of its own: what torch, DeepSpeed and the Trainer
see as the world is the group. With one group this is Ray Train's own arrangement.

Imported only by `ray_fit` and by Ray's own processes.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ray
from ray.train.backend import Backend
from ray.train.torch import TorchConfig


@dataclass
class GroupedTorchConfig(TorchConfig):  # type: ignore[misc]
    """Like `TorchConfig`, with the number of workers in each process group."""

    group_size: int = 1

    @property
    def backend_cls(self) -> Any:
        return GroupedTorchBackend


class GroupedTorchBackend(Backend):  # type: ignore[misc]
    """Joins the workers of each group, and parts them in order at the end."""

    share_cuda_visible_devices = True

    def on_start(self, worker_group: Any, backend_config: GroupedTorchConfig) -> None:
        size = backend_config.group_size
        pending = []
        for first in range(0, len(worker_group), size):
            address = worker_group.execute_single(first, _free_address)
            for rank in range(size):
                arguments = (address, rank, size, backend_config.backend, backend_config.timeout_s)
                pending.append(worker_group.execute_single_async(first + rank, _join, *arguments))
        ray.get(pending)

    def on_shutdown(self, worker_group: Any, backend_config: GroupedTorchConfig) -> None:  # noqa: ARG002
        parting = worker_group.execute_async(_part)
        ray.wait(parting, num_returns=len(parting), timeout=30)


def _free_address() -> tuple[str, int]:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return ray.util.get_node_ip_address(), probe.getsockname()[1]


def _join(address: tuple[str, int], rank: int, size: int, backend: str, timeout: int) -> None:
    import torch
    import torch.distributed as dist

    context = ray.train.get_context()
    os.environ.update(
        MASTER_ADDR=address[0],
        MASTER_PORT=str(address[1]),
        RANK=str(rank),
        WORLD_SIZE=str(size),
        LOCAL_RANK=str(context.get_local_rank()),
        LOCAL_WORLD_SIZE=str(context.get_local_world_size()),
    )
    device = ray.train.torch.get_device()
    os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(backend, rank=rank, world_size=size, timeout=timedelta(seconds=timeout))


def _part() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()

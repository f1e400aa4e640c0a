"""One process or several: torchrun starts them, this joins them.

    torchrun --nproc-per-node=4 --no-python echonode train fit ...

NCCL connects GPUs, Gloo CPUs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from inference.models.device import choose_device


@dataclass(frozen=True, slots=True)
class World:
    """This process among `size`; only the first one writes files."""

    rank: int
    size: int
    device: torch.device

    @property
    def writes(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """Let the processes average their gradients; BatchNorm's statistics stay each one's own
        until they `unite`."""
        if self.size == 1:
            return module
        where = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=where, broadcast_buffers=False)

    def unite(self, module: nn.Module) -> None:
        """Bring a module to one state in all processes: the mean of BatchNorm's statistics, and
        the first process's weights and counts."""
        if self.size == 1:
            return
        statistics = {id(buffer) for buffer in module.buffers() if buffer.is_floating_point()}
        with torch.no_grad():
            for tensor in [*module.parameters(), *module.buffers()]:
                if id(tensor) in statistics:
                    distributed.all_reduce(tensor)
                    tensor.div_(self.size)
                else:
                    distributed.broadcast(tensor, 0)

    def add(self, tensor: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def join(device: str) -> Iterator[World]:
    """Join the processes that torchrun started; alone, there is nothing to join.

    Raises:
        inference.errors.InferenceError: no such device here.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if size == 1:
        yield World(0, 1, choose_device(device))
        return
    chosen = choose_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield World(rank, size, chosen)
    finally:
        distributed.destroy_process_group()

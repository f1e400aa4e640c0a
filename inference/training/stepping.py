"""One step of Adam: gradients accumulated over micro-batches, averaged over processes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from inference.training.network import autocast
from inference.training.processes import World
from inference.training.recipe import Device


class Stepper:
    """Adam and the loss scaler of one module; `parts` is their state."""

    def __init__(
        self,
        module: nn.Module,
        world: World,
        how: Device,
        *,
        learning_rate: float,
        weight_decay: float = 0.0,
        faster: Mapping[nn.Module | nn.Parameter, float] | None = None,
    ) -> None:
        """`faster` multiplies the learning rate of some parts or parameters of the module."""
        self._world, self._how = world, how
        groups = list(_groups(module, learning_rate, faster or {}))
        self._base = [group["lr"] for group in groups]
        self._adam = torch.optim.Adam(groups, weight_decay=weight_decay)
        # float16 alone underflows; for the other precisions the scaler does nothing.
        self._scaler = torch.amp.GradScaler(world.device.type, enabled=how.precision == "float16")
        self.shared = world.wrap(module)
        self.parts: dict[str, Any] = {"adam": self._adam, "scaler": self._scaler}

    def step(self, losses: Sequence[Callable[[], Tensor]], *, rate: float = 1.0) -> Tensor:
        """Take one step along the sum of the losses over micro-batches and processes.

        Each loss is computed by `shared`; `rate` multiplies the learning rate. Gives back this
        process's sum.
        """
        for group, base in zip(self._adam.param_groups, self._base, strict=True):
            group["lr"] = base * rate
        self._adam.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._world.device)
        for number, compute in enumerate(losses, start=1):
            with self._sharing(now=number == len(losses)):
                with autocast(self._world.device, self._how):
                    loss = compute()
                # The processes average their gradients; the losses are parts of a sum.
                self._scaler.scale(loss * self._world.size).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        self._scaler.step(self._adam)
        self._scaler.update()
        return total

    def _sharing(self, *, now: bool) -> Any:
        """Gradients travel between processes once a step, after its last micro-batch."""
        if self._world.size == 1 or now:
            return nullcontext()
        return self.shared.no_sync()  # type: ignore[operator]


def _groups(
    module: nn.Module, learning_rate: float, faster: Mapping[nn.Module | nn.Parameter, float]
) -> Iterator[dict[str, Any]]:
    """Adam's groups of parameters, each with its learning rate."""
    apart = {parameter for part in faster for parameter in _parameters(part)}
    yield {
        "params": [each for each in module.parameters() if each not in apart],
        "lr": learning_rate,
    }
    for part, times in faster.items():
        yield {"params": _parameters(part), "lr": learning_rate * times}


def _parameters(part: nn.Module | nn.Parameter) -> list[nn.Parameter]:
    return [part] if isinstance(part, nn.Parameter) else list(part.parameters())

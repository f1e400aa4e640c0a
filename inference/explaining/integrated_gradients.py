"""Integrated gradients: how much of an answer is due to each number of an input.

Source: Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks" (ICML 2017).
"""

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 64
#: So many steps are computed together.
_AT_ONCE = 16


def integrated_gradients(
    answer: Callable[[Tensor], Tensor], given: Tensor, *, steps: int = STEPS
) -> Tensor:
    """What each number of an input adds to the answer, in the shape of `given`, float32.

    `answer` makes numbers (B) of inputs (B, ...), each by itself. The gradients are taken on the
    straight way from zeros to `given`, in the middle of each step (midpoint rule), so that all
    together nearly is the difference between the answers at its ends. Not within inference mode,
    which keeps no gradients.
    """
    total = torch.zeros_like(given, dtype=torch.float64)
    shares = (torch.arange(steps, dtype=torch.float64, device=given.device) + 0.5) / steps
    for some in torch.split(shares.to(given.dtype), _AT_ONCE):
        on_the_way = (some.view(-1, *(1,) * given.ndim) * given).requires_grad_()
        (gradients,) = torch.autograd.grad(answer(on_the_way).sum(), on_the_way)
        total += gradients.sum(dim=0, dtype=torch.float64)
    return (given * total / steps).float()

"""A running average of a network's weights and of its batch statistics.

The weights of single steps scatter around those that they tend to, and at a high learning rate the
batch statistics lag behind them; their average judges steadily and better.
"""

import copy

import torch

from inference.models.multiview import MultiView


class Average:
    """`network` is the average; it starts as a copy of the module that it is to follow.

    Of the average, `share` stays at every step, less in the first ones, so that it soon forgets
    where it began.
    """

    def __init__(self, start: MultiView, share: float) -> None:
        self.network = copy.deepcopy(start).requires_grad_(requires_grad=False)
        self._share = share

    @torch.no_grad()
    def follow(self, network: MultiView, steps: int) -> None:
        """Take in a network after that many steps."""
        stays = min(self._share, (1 + steps) / (10 + steps))
        for kept, newest in zip(
            self.network.state_dict().values(), network.state_dict().values(), strict=True
        ):
            if kept.is_floating_point():
                kept.lerp_(newest, 1 - stays)
            else:
                kept.copy_(newest)

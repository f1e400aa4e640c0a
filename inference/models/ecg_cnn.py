"""The networks that LS-EMVAE is compared with (its Table 2): each makes a feature of twelve leads.

Source: He et al., "Bag of tricks" (xResNet), in one dimension as Strodthoff et al., "Deep learning
for ECG analysis" (PTB-XL) use them; Higgins et al. (beta-VAE).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from inference.ecg.leads import LEADS
from inference.models.lead_experts import Gaussian, LeadEncoders, gaussian
from inference.models.lead_vae import LatentBody

_KERNEL = 5


class OneEncoder(LatentBody):
    """beta-VAE's encoder: one for all leads together, of the shape of a single lead's."""

    def __init__(self, samples: int, widths: tuple[int, int, int], latent: int) -> None:
        super().__init__(samples, widths, latent)
        channels = (len(LEADS), *widths)
        self.convolutions = nn.Sequential(
            *(
                layer
                for before, after in pairwise(channels)
                for layer in (nn.Conv1d(before, after, 3, 2, 1), nn.ReLU())
            )
        )
        self.linear = nn.Linear(widths[-1] * samples // 8, 2 * latent)

    def experts(self, leads: Tensor) -> Gaussian:
        """What the one encoder says, (B, 1, Z)."""
        return gaussian(self.linear(self.convolutions(leads).flatten(1)).unsqueeze(1))

    def fuse(self, experts: Gaussian, usable: Tensor) -> Gaussian:  # noqa: ARG002 - they were 0
        """The latent (B, Z): there is nothing to fuse."""
        return Gaussian(experts.mean.squeeze(1), experts.variance.squeeze(1))


class LeadCnn(nn.Module):
    """An encoder for each lead, side by side: multimodal, without a latent or pre-training."""

    def __init__(self, samples: int, widths: tuple[int, int, int], of_each: int) -> None:
        super().__init__()
        self.feature_size = len(LEADS) * of_each
        self.encoders = LeadEncoders(samples, widths, of_each)

    def forward(self, leads: Tensor, usable: Tensor) -> Tensor:
        """The features of all leads, 0 where one is not usable."""
        said: Tensor = self.encoders(leads) * usable.unsqueeze(-1)
        return said.flatten(1)


class ResNet1d(nn.Module):
    """A residual network over time, pooled by mean and maximum.

    `tricks` make it an xResNet: a stem of three convolutions, and shortcuts that average before
    they change their width.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int, *, tricks: bool) -> None:
        super().__init__()
        self.feature_size = 2 * widths[-1]
        first = widths[0]
        stem = (
            [_unit(len(LEADS), first, 2), _unit(first, first), _unit(first, first)]
            if tricks
            else [_unit(len(LEADS), first, 2)]
        )
        stages = [
            _Block(before if number == 0 else after, after, 2 if number == 0 else 1, tricks=tricks)
            for before, after in pairwise((first, *widths))
            for number in range(blocks)
        ]
        self.layers = nn.Sequential(*stem, *stages)

    def forward(self, leads: Tensor, usable: Tensor) -> Tensor:  # noqa: ARG002 - they are 0
        """The pooled feature."""
        found: Tensor = self.layers(leads)
        return torch.cat([found.mean(dim=2), found.amax(dim=2)], dim=1)


class _Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int, *, tricks: bool) -> None:
        super().__init__()
        self.main = nn.Sequential(
            _unit(before, after, stride),
            nn.Conv1d(after, after, _KERNEL, padding=_KERNEL // 2, bias=False),
            nn.BatchNorm1d(after),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            averaged = [nn.AvgPool1d(stride, ceil_mode=True)] if tricks and stride > 1 else []
            step = 1 if averaged else stride
            self.shortcut = nn.Sequential(
                *averaged, nn.Conv1d(before, after, 1, step, bias=False), nn.BatchNorm1d(after)
            )

    def forward(self, found: Tensor) -> Tensor:
        result: Tensor = torch.relu(self.main(found) + self.shortcut(found))
        return result


def _unit(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(before, after, _KERNEL, stride, _KERNEL // 2, bias=False),
        nn.BatchNorm1d(after),
        nn.ReLU(),
    )

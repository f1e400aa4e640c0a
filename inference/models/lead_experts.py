"""One encoder for each lead of an ECG, and ways to make one latent of what they say.

Every lead gives a Gaussian: an expert. LS-EMVAE fuses them by a gated mixture; the models that it
is compared with by a product (MVAE) or by a mixture of products (MoPoE). A lead that is not usable
has no part in a fusion. Letters in shapes: B ECGs, L = 12 leads, N samples, Z latent size.

Source: Wu and Goodman, "Multimodal generative models" (MVAE); Sutter et al., "Generalized
multimodal ELBO" (MoPoE); the gate and the alignment are those of LS-EMVAE.
"""

from itertools import pairwise
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor, nn

from inference.ecg.leads import LEADS

_COUNT = len(LEADS)
#: Logarithms of variances are kept within these limits.
_LOG_VARIANCE = 8.0
_SMALLEST_VARIANCE = 1e-6
#: By so much the shared expert's score exceeds the leads' before training: about e^3 to 12.
_SHARED_FIRST = 3.0


class Gaussian(NamedTuple):
    """Independent Gaussians: `mean` and `variance` of the same shape."""

    mean: Tensor
    variance: Tensor

    def draw(self) -> Tensor:
        """A random sample through which gradients flow."""
        return self.mean + self.variance.sqrt() * torch.randn_like(self.mean)

    def divergence(self) -> Tensor:
        """The Kullback-Leibler divergence from the standard normal, summed over the last axis."""
        terms = self.mean**2 + self.variance - self.variance.log() - 1
        return 0.5 * terms.sum(dim=-1)


class LeadEncoders(nn.Module):
    """Twelve encoders of equal shape that share nothing: leads (B, L, N) to (B, L, `outputs`).

    Each has three convolutions (k3 s2 p1, ReLU) and a linear layer on all that they give. N must be
    `samples`, a multiple of 8.
    """

    def __init__(self, samples: int, widths: tuple[int, int, int], outputs: int) -> None:
        super().__init__()
        channels = [_COUNT, *(_COUNT * width for width in widths)]
        self.convolutions = nn.Sequential(
            *(
                layer
                for before, after in pairwise(channels)
                for layer in (nn.Conv1d(before, after, 3, 2, 1, groups=_COUNT), nn.ReLU())
            )
        )
        size = widths[-1] * samples // 8
        self.weight = nn.Parameter(torch.empty(_COUNT, size, outputs))
        self.bias = nn.Parameter(torch.zeros(_COUNT, 1, outputs))
        nn.init.uniform_(self.weight, -1 / sqrt(size), 1 / sqrt(size))

    def forward(self, leads: Tensor) -> Tensor:
        """What each lead's encoder says of it."""
        seen = self.convolutions(leads).unflatten(1, (_COUNT, -1)).flatten(2)  # (B, L, C * N / 8)
        said = torch.baddbmm(self.bias, seen.transpose(0, 1), self.weight)  # (L, B, outputs)
        return said.transpose(0, 1)


class GatedMixture(nn.Module):
    """LS-EMVAE's fusion: a gate weighs the leads and their product, the shared expert.

    Our own: training begins near the shared expert. Leads that disagree make the mixture wide, so
    a gate that begins evenly settles on the two or three that agree, and never sees the others.
    """

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.gate = nn.Linear((_COUNT + 1) * latent, _COUNT + 1)
        nn.init.constant_(self.gate.bias[_COUNT:], _SHARED_FIRST)

    def forward(self, experts: Gaussian, usable: Tensor) -> Gaussian:
        """The Gaussian that has mean and variance of the mixture; experts (B, L, Z)."""
        every, weights = self._weighed(experts, usable)
        mean = (weights * every.mean).sum(dim=1)
        square = (weights * (every.variance + every.mean**2)).sum(dim=1)
        return Gaussian(mean, (square - mean**2).clamp_min(_SMALLEST_VARIANCE))

    def weights(self, experts: Gaussian, usable: Tensor) -> Tensor:
        """The weights of the leads and, last, of the shared expert, (B, L + 1); they sum to 1."""
        return self._weighed(experts, usable)[1].squeeze(-1)

    def _weighed(self, experts: Gaussian, usable: Tensor) -> tuple[Gaussian, Tensor]:
        shared = product(experts, usable)
        every = Gaussian(
            torch.cat([experts.mean * usable.unsqueeze(-1), shared.mean.unsqueeze(1)], dim=1),
            torch.cat([experts.variance, shared.variance.unsqueeze(1)], dim=1),
        )
        takes_part = torch.cat([usable, usable.new_ones(len(usable), 1)], dim=1)
        scores = self.gate(every.mean.flatten(1)).masked_fill(~takes_part, -torch.inf)
        return every, scores.softmax(dim=1).unsqueeze(-1)


class Product(nn.Module):
    """MVAE's fusion: the product of the leads and the standard normal."""

    def forward(self, experts: Gaussian, usable: Tensor) -> Gaussian:
        """The product of the usable experts (B, L, Z)."""
        return product(experts, usable)


class MixtureOfProducts(nn.Module):
    """MoPoE's fusion: the mixture of the products of every set of leads, all equally likely.

    Training takes one random set for each ECG, so that it draws from the mixture.
    """

    def forward(self, experts: Gaussian, usable: Tensor) -> Gaussian:
        """One product of the mixture while training, else its mean and variance; (B, L, Z)."""
        if self.training:
            return product(experts, _some_of(usable))
        numbers = torch.arange(1, 2**_COUNT, device=usable.device)
        bits = torch.arange(_COUNT, device=usable.device)
        sets = (numbers.unsqueeze(1) >> bits & 1).to(experts.mean.dtype)  # (S, L)
        precision = usable.unsqueeze(-1) / experts.variance  # (B, L, Z)
        variance = 1 / (1 + torch.einsum("sl,blz->bsz", sets, precision))
        mean = variance * torch.einsum("sl,blz->bsz", sets, precision * experts.mean)
        # A set without any usable lead is none.
        share = (usable.to(sets.dtype) @ sets.T > 0).to(sets.dtype).unsqueeze(-1)  # (B, S, 1)
        share = share / share.sum(dim=1, keepdim=True)
        middle = (share * mean).sum(dim=1)
        square = (share * (variance + mean**2)).sum(dim=1)
        return Gaussian(middle, (square - middle**2).clamp_min(_SMALLEST_VARIANCE))


def product(experts: Gaussian, usable: Tensor) -> Gaussian:
    """The product of the standard normal and the usable experts: (B, L, Z) under (B, L) to (B, Z).

    Without a usable lead it is the standard normal.
    """
    precision = usable.unsqueeze(-1) / experts.variance
    variance = 1 / (1 + precision.sum(dim=1))
    return Gaussian(variance * (precision * experts.mean).sum(dim=1), variance)


def gaussian(said: Tensor) -> Gaussian:
    """Means and logarithms of variances side by side (..., 2 Z) as Gaussians (..., Z)."""
    mean, log_variance = said.chunk(2, dim=-1)
    return Gaussian(mean, log_variance.clamp(-_LOG_VARIANCE, _LOG_VARIANCE).exp())


def _some_of(usable: Tensor) -> Tensor:
    """A random set of the usable leads of each ECG, never the empty one; (B, L)."""
    order = torch.rand(usable.shape, device=usable.device)
    drawn = usable & (order < 0.5)
    first = torch.zeros_like(usable)
    first.scatter_(1, order.masked_fill(~usable, 2.0).argmin(dim=1, keepdim=True), value=True)
    return torch.where(drawn.any(dim=1, keepdim=True), drawn, first & usable)

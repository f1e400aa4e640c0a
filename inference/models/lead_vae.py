"""From the leads of an ECG to logits: LS-EMVAE's classifier, and the frame that others share.

    leads --encoders--> 12 experts --gate--> joint latent (Z) --one head for each lead set--> logits

The heads see the mean of the joint latent; a network of median beats sees the RR intervals beside
it. Pre-training brings a decoder of its own (`inference.training.ecg_ph`), which no bundle holds.
Letters in shapes: B ECGs, L = 12 leads, N samples, Z latent size, K outputs.
"""

from typing import Protocol, cast

import torch
from torch import Tensor, nn

from inference.ecg.leads import LEADS, LIMB, LeadSet
from inference.models.lead_experts import (
    GatedMixture,
    Gaussian,
    LeadEncoders,
    MixtureOfProducts,
    Product,
    gaussian,
)

#: The lead sets in the order of their heads.
LEAD_SETS = (LeadSet.TWELVE, LeadSet.LIMB)
#: What the outputs tell, in their order; a network of twelve leads alone has the first two. PH is
#: an mPAP above 20 mmHg; post-capillary is a PAWP above 15 mmHg among those with PH.
OUTPUTS = ("PH.12-leads", "postcapillary.12-leads", "PH.6-leads", "postcapillary.6-leads")
OUTPUTS_PER_SET = len(OUTPUTS) // len(LEAD_SETS)
#: What a network hears of the rhythm: mean and SD of the RR intervals, s.
RHYTHM = 2
_HIDDEN, _DROPOUT = 128, 0.5


class Body(Protocol):
    """What makes a feature of leads (B, L, N), in units of each lead's scale, 0 if not usable."""

    feature_size: int

    def __call__(self, leads: Tensor, usable: Tensor) -> Tensor:
        """The feature (B, `feature_size`) under `usable` (B, L)."""


class LatentBody(nn.Module):
    """A body that can be pre-trained: its feature is the mean of a latent.

    It sees `pool` of the leads: `samples` a lead, by convolutions of `widths`. `aligned`: in
    pre-training, what the leads say is drawn together.
    """

    aligned = False

    def __init__(self, samples: int, widths: tuple[int, int, int], latent: int) -> None:
        super().__init__()
        self.samples, self.widths, self.feature_size = samples, widths, latent
        self.pool: nn.Module = nn.Identity()

    def experts(self, leads: Tensor) -> Gaussian:
        """What is said of the leads (B, L, N) before it is made one, (B, experts, Z)."""
        raise NotImplementedError

    def fuse(self, experts: Gaussian, usable: Tensor) -> Gaussian:
        """The joint latent (B, Z)."""
        raise NotImplementedError

    def forward(self, leads: Tensor, usable: Tensor) -> Tensor:
        """The mean of the joint latent."""
        return self.fuse(self.experts(leads), usable).mean


class LeadExperts(LatentBody):
    """An expert for each lead, and their fusion; `halved` takes every two samples together."""

    def __init__(
        self,
        samples: int,
        widths: tuple[int, int, int],
        latent: int,
        fusion: GatedMixture | Product | MixtureOfProducts,
        *,
        halved: bool = False,
    ) -> None:
        super().__init__(samples // 2 if halved else samples, widths, latent)
        if halved:
            self.pool = nn.AvgPool1d(2)
        self.encoders = LeadEncoders(self.samples, widths, 2 * latent)
        self.fusion = fusion
        self.aligned = isinstance(fusion, GatedMixture)

    def experts(self, leads: Tensor) -> Gaussian:
        """What each lead says by itself, (B, L, Z)."""
        return gaussian(self.encoders(self.pool(leads)))

    def fuse(self, experts: Gaussian, usable: Tensor) -> Gaussian:
        """The joint latent (B, Z)."""
        return cast(Gaussian, self.fusion(experts, usable))


class Head(nn.Module):
    """One hidden layer on a feature that is standardised as in training."""

    mean: Tensor
    sd: Tensor

    def __init__(self, feature_size: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(feature_size))
        self.register_buffer("sd", torch.ones(feature_size))
        self.layers = nn.Sequential(
            nn.Linear(feature_size, _HIDDEN),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_HIDDEN, outputs),
        )

    def forward(self, feature: Tensor) -> Tensor:
        """Logits of features (..., F)."""
        logits: Tensor = self.layers((feature - self.mean) / self.sd)
        return logits


class EcgClassifier(nn.Module):
    """A body and a head for each lead set; the six-lead head never sees a chest lead.

    `outputs` is 4, or 2 for twelve leads alone. `scale` (L) is the SD of each lead in mV.
    """

    scale: Tensor

    def __init__(self, body: nn.Module, outputs: int, *, hears_rhythm: bool) -> None:
        super().__init__()
        if outputs not in (OUTPUTS_PER_SET, len(OUTPUTS)):
            raise ValueError(f"an ECG network has 2 or 4 outputs, not {outputs}")
        self.hears_rhythm = hears_rhythm
        self.register_buffer("scale", torch.ones(len(LEADS)))
        self.body = body
        size = cast(Body, body).feature_size + (RHYTHM if hears_rhythm else 0)
        self.heads = nn.ModuleList(
            Head(size, OUTPUTS_PER_SET) for _ in range(outputs // OUTPUTS_PER_SET)
        )

    def forward(self, leads: Tensor, usable: Tensor, rhythm: Tensor) -> Tensor:
        """Logits (B, K) of leads (B, L, N) in mV, `usable` (B, L), `rhythm` (B, 2) in s."""
        return self.judge(self.features(leads, usable, rhythm))

    def features(self, leads: Tensor, usable: Tensor, rhythm: Tensor) -> Tensor:
        """What each head is given, (B, heads, F)."""
        sets = LEAD_SETS[: len(self.heads)]
        seen = [self._seen(leads, usable & of_set(usable, lead_set)) for lead_set in sets]
        features = torch.stack(seen, dim=1)
        if not self.hears_rhythm:
            return features
        return torch.cat([features, rhythm.unsqueeze(1).expand(-1, len(sets), -1)], dim=2)

    def judge(self, features: Tensor) -> Tensor:
        """Logits (B, K) of what each head is given, (B, heads, F)."""
        pairs = zip(self.heads, features.unbind(dim=1), strict=True)
        return torch.cat([head(feature) for head, feature in pairs], dim=1)

    def scaled(self, leads: Tensor, usable: Tensor) -> Tensor:
        """The leads in units of their scale, 0 where a lead is not usable."""
        return leads / self.scale.unsqueeze(-1) * usable.unsqueeze(-1)

    def _seen(self, leads: Tensor, usable: Tensor) -> Tensor:
        feature: Tensor = self.body(self.scaled(leads, usable), usable)
        return feature


def of_set(usable: Tensor, lead_set: LeadSet) -> Tensor:
    """The leads of a set, in the shape of `usable` (B, L)."""
    chosen = torch.ones_like(usable)
    if lead_set is LeadSet.LIMB:
        chosen[:, LIMB:] = False
    return chosen

"""What pre-training adds to a body with a latent: a decoder, and the loss of both.

Letters in shapes: B ECGs, L = 12 leads, N samples as the body sees them, Z latent size.
"""

from typing import NamedTuple

from torch import Tensor, nn

from inference.ecg.leads import LEADS
from inference.models.lead_experts import Gaussian, product
from inference.models.lead_vae import LatentBody


class LeadDecoder(nn.Module):
    """One decoder for all leads, told by an embedding which lead to draw.

    Without the embedding it would draw every lead alike.
    """

    def __init__(self, samples: int, widths: tuple[int, int, int], latent: int) -> None:
        super().__init__()
        small, middle, large = widths
        self.lead = nn.Embedding(len(LEADS), latent)
        self.linear = nn.Linear(latent, large * samples // 8)
        self.convolutions = nn.Sequential(
            nn.Unflatten(1, (large, samples // 8)),
            nn.ConvTranspose1d(large, middle, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose1d(middle, small, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose1d(small, 1, 4, 2, 1),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """The leads (B, L, N) of latents (B, Z)."""
        of_leads = (latent.unsqueeze(1) + self.lead.weight).flatten(0, 1)  # (B * L, Z)
        drawn: Tensor = self.convolutions(self.linear(of_leads))
        return drawn.view(len(latent), len(LEADS), -1)


class Losses(NamedTuple):
    """Means over a batch: squared error, in units of each lead's scale; divergence of the joint
    latent from the standard normal, for each sample; distance of the leads' latents from the shared
    one."""

    reconstruction: Tensor
    divergence: Tensor
    alignment: Tensor


class Vae(nn.Module):
    """A body and its decoder."""

    def __init__(self, body: LatentBody) -> None:
        super().__init__()
        self.body = body
        self.decoder = LeadDecoder(body.samples, body.widths, body.feature_size)

    def forward(self, leads: Tensor, usable: Tensor, shown: Tensor) -> Losses:
        """The losses of ECGs, scaled and 0 where a lead is not `usable` (B, L).

        The body sees the `shown` leads alone; all usable ones are to be drawn. While training, the
        latent is drawn at random.
        """
        experts = self.body.experts(leads * shown.unsqueeze(-1))
        joint = self.body.fuse(experts, shown)
        drawn = self.decoder(joint.draw() if self.training else joint.mean)
        wanted = self.body.pool(leads)
        samples = usable.sum() * wanted.shape[-1]
        reconstruction = ((drawn - wanted) ** 2 * usable.unsqueeze(-1)).sum() / samples
        # The evidence lower bound for noise of one unit, divided by half of the samples.
        divergence = 2 * joint.divergence().sum() / samples
        aligned = _alignment(experts, shown) if self.body.aligned else leads.new_zeros(())
        return Losses(reconstruction, divergence, aligned)


def _alignment(experts: Gaussian, shown: Tensor) -> Tensor:
    shared = product(experts, shown).mean.unsqueeze(1)
    distance = ((experts.mean - shared) ** 2).mean(dim=2)
    return (distance * shown).sum() / shown.sum()

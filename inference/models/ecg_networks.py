"""The ECG networks by the names that bundles and recipes write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor, nn

from inference.ecg.beats import AFTER, BEFORE
from inference.ecg.cleaning import SAMPLES
from inference.ecg.leads import LEADS
from inference.models.ecg_cnn import LeadCnn, OneEncoder, ResNet1d
from inference.models.lead_experts import GatedMixture, MixtureOfProducts, Product
from inference.models.lead_vae import RHYTHM, EcgClassifier, LeadExperts

#: Samples of a lead at 500 Hz: ten seconds, or the median beat.
RHYTHM_SAMPLES, BEAT_SAMPLES = SAMPLES, BEFORE + AFTER
#: Of made-up numbers in 0..1, those below leave a lead out.
_LEFT_OUT = 0.2


@dataclass(frozen=True, slots=True)
class EcgArchitecture:
    """A body for one signal; a network of the median beat hears the rhythm that it lost."""

    body: Callable[[], nn.Module]
    signal: Literal["rhythm", "median beat"]

    @property
    def samples(self) -> int:
        """How many samples of each lead it sees, at 500 Hz."""
        return RHYTHM_SAMPLES if self.signal == "rhythm" else BEAT_SAMPLES

    def build(self, outputs: int) -> EcgClassifier:
        """The whole network with fresh weights.

        Raises:
            ValueError: it has 2 outputs (twelve leads), or 4 (six limb leads, too).
        """
        return EcgClassifier(self.body(), outputs, hears_rhythm=self.signal == "median beat")

    @property
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Leads, which of them are usable, and the rhythm, of one ECG."""
        return (1, len(LEADS), self.samples), (1, len(LEADS)), (1, RHYTHM)

    def answer(self, network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
        """The logits (K,) of made-up numbers in 0..1 in these shapes."""
        leads, usable, rhythm = inputs
        logits: Tensor = network(leads, usable > _LEFT_OUT, rhythm)[0]
        return logits


_Fusion = GatedMixture | Product | MixtureOfProducts
_PAPER, _LATENT = (16, 32, 64), 256
_SMALL, _SMALL_LATENT = (16, 32, 32), 24
_CNN_OF_EACH = 16


def _of_rhythm(body: Callable[[], nn.Module]) -> EcgArchitecture:
    return EcgArchitecture(body, "rhythm")


def _of_beat(body: Callable[[], nn.Module]) -> EcgArchitecture:
    return EcgArchitecture(body, "median beat")


def _experts(fusion: Callable[[], _Fusion]) -> LeadExperts:
    return LeadExperts(RHYTHM_SAMPLES, _PAPER, _LATENT, fusion())


def _small_experts(fusion: Callable[[], _Fusion]) -> LeadExperts:
    return LeadExperts(BEAT_SAMPLES, _SMALL, _SMALL_LATENT, fusion(), halved=True)


ECG_NETWORKS: Mapping[str, EcgArchitecture] = {
    # The paper's: ten seconds, 12 encoders of 20,488,352 parameters, a gate.
    "lead_vae": _of_rhythm(partial(_experts, partial(GatedMixture, _LATENT))),
    "lead_vae_beat": _of_beat(partial(_small_experts, partial(GatedMixture, _SMALL_LATENT))),
    "mvae": _of_rhythm(partial(_experts, Product)),
    "mvae_beat": _of_beat(partial(_small_experts, Product)),
    "mopoe": _of_rhythm(partial(_experts, MixtureOfProducts)),
    "mopoe_beat": _of_beat(partial(_small_experts, MixtureOfProducts)),
    "beta_vae": _of_rhythm(partial(OneEncoder, RHYTHM_SAMPLES, _PAPER, _LATENT)),
    "beta_vae_beat": _of_beat(partial(OneEncoder, BEAT_SAMPLES, _SMALL, _SMALL_LATENT)),
    "lead_cnn": _of_rhythm(partial(LeadCnn, RHYTHM_SAMPLES, _PAPER, _CNN_OF_EACH)),
    "lead_cnn_beat": _of_beat(partial(LeadCnn, BEAT_SAMPLES, _SMALL, _CNN_OF_EACH)),
    "resnet_1d": _of_rhythm(partial(ResNet1d, (64, 128, 196, 256), 2, tricks=False)),
    "resnet_1d_beat": _of_beat(partial(ResNet1d, (24, 32, 48), 1, tricks=False)),
    "xresnet_1d": _of_rhythm(partial(ResNet1d, (64, 128, 196, 256), 2, tricks=True)),
    "xresnet_1d_beat": _of_beat(partial(ResNet1d, (24, 32, 48), 1, tricks=True)),
}

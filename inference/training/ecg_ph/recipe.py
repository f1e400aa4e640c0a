"""The recipe of an ECG model; every default is LS-EMVAE's, or ours where the paper is silent.

The architecture says what it sees (ten seconds, or the median beat), how large its latent is, and
whether it is pre-trained: a network with a latent is, and its encoder then stays as it is.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inference.bundle.strict import Strict
from inference.ecg.cleaning import Mains
from inference.models.ecg_networks import ECG_NETWORKS, EcgArchitecture
from inference.models.lead_vae import OUTPUTS, OUTPUTS_PER_SET
from inference.training.any_recipe import AnyRecipe

Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Pretraining(Strict):
    """A variational autoencoder of all training ECGs, and of the WFDB records in the cache."""

    epochs: Count = 100
    batch: Count = 128
    learning_rate: Positive = 1e-4
    schedule: Literal["constant", "one-cycle"] = "constant"
    """one-cycle: rises from a tenth over the first fifth of all steps, then falls as a cosine."""
    weight_decay: Amount = 1e-2
    beta: Positive = 1.0
    """Weight of the divergence from the standard normal at the end."""
    warm_up: Share = 1.0
    """Share of all steps in which that weight rises from 0, as a line."""
    alignment: Amount = 0.1
    """Weight of the distance of each lead's latent from the shared one; gated networks only."""
    limb_only: Share = 0.0
    """Share of ECGs of which the encoder sees the limb leads alone; all leads are decoded."""


class FineTuning(Strict):
    """AdamW on the focal loss; without a latent the whole network learns, else the heads."""

    epochs: Count = 50
    batch: Count = 32
    learning_rate: Positive = 1e-4
    weight_decay: Amount = 1e-2
    focal: Amount = 2.0
    """Power by which what is known already weighs less."""


class Recipe(AnyRecipe):
    """One way of making an ECG model."""

    pipeline: Literal["ecg_ph"] = "ecg_ph"
    architecture: str = "lead_vae"
    mains_hz: Mains = 50
    """Frequency of the mains where the ECGs were recorded; those in the cache must have it."""
    six_leads: bool = True
    """Also make a head for the six limb leads."""
    folds: Annotated[int, Field(ge=0, le=20)] = 5
    """Parts of a cross-validation of the heads over all exams, by patient; 0: none."""
    shuffled: bool = False
    """Also train heads on another patient's labels: they must learn nothing."""
    seed: Annotated[int, Field(ge=0)] = 0
    pretraining: Pretraining = Pretraining()
    fine_tuning: FineTuning = FineTuning()
    device: str = "auto"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.architecture not in ECG_NETWORKS:
            known = ", ".join(ECG_NETWORKS)
            raise ValueError(f"unknown architecture {self.architecture!r}; known: {known}")
        if self.folds == 1:
            raise ValueError("folds: one part cannot be judged by the others; 0 for none")
        return self

    @property
    def network(self) -> EcgArchitecture:
        """How the network is built."""
        return ECG_NETWORKS[self.architecture]

    @property
    def signal(self) -> Literal["rhythm", "median beat"]:
        """What of an ECG the network sees."""
        return self.network.signal

    @property
    def targets(self) -> tuple[str, ...]:
        """What the network's outputs tell, in their order."""
        return OUTPUTS if self.six_leads else OUTPUTS[:OUTPUTS_PER_SET]

    @property
    def lead_sets(self) -> tuple[Literal["12 leads", "6 limb leads"], ...]:
        """The lead sets of its heads, as a bundle names them."""
        return ("12 leads", "6 limb leads") if self.six_leads else ("12 leads",)

"""The recipe of a model that estimates from all loops of an echo exam.

Every default is the paper's, or ours where the paper is silent; a recipe that names nothing but
itself is the paper's recipe. Every deviation is one key.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inference.bundle.strict import Strict
from inference.errors import UnknownArchitectureError
from inference.models.registry import find_multi_view
from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.any_recipe import AnyRecipe

TargetName = Literal["mPAP", "PVR", "PAWP"]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Sampling(Strict):
    """What one step sees; loops and frames are drawn with replacement where there are fewer."""

    exams: Count = 12
    loops: Count = 5
    frames: Count = 5
    balanced: bool = False
    """Draw exams without PH so often, with replacement, that both sides come up alike."""
    micro_batch_exams: Count | None = None
    """Exams at a time on one device, gradients accumulated: less memory. BatchNorm sees these, not
    the batch, so that fewer than the paper's 12 change the model."""


class Augmentation(Strict):
    """Largest change in either direction; one draw per loop, the border black."""

    rotation_deg: Amount = 15.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.10
    shift: Amount = 0.10
    """As a share of the frame's side."""


class Loss(Strict):
    """Half mean squared error of z-scores, half cross-entropy of lying above the limit."""

    cross_entropy: bool = True
    balanced: bool = False
    """Multiply the cross-entropy of training exams above the limit by below / above of them."""
    tau_mpap_mmhg: Positive = 5.0
    """Softness of the limit: the stated probability is sigmoid((estimate - limit) / tau)."""
    tau_pvr_wu: Positive = 1.5
    tau_pawp_mmhg: Positive = 1.5

    def tau(self, target: str) -> float:
        """The softness of a target's limit, in its unit."""
        return {
            "mPAP": self.tau_mpap_mmhg,
            "PVR": self.tau_pvr_wu,
            "PAWP": self.tau_pawp_mmhg,
        }[target]


class Optimisation(Strict):
    """Adam."""

    epochs: Count = 100
    """Passes over the training exams: the more exams, the more steps."""
    steps: Count | None = None
    """Steps in all, however many exams there are; takes the place of `epochs`."""
    validate_every_steps: Count | None = None
    """Steps between two validations, each with a checkpoint. Empty: one pass."""
    learning_rate: Positive = 1e-4
    weight_decay: Amount = 1e-8
    schedule: Literal["constant", "one-cycle"] = "constant"
    """one-cycle: rises from a tenth over the first fifth of all steps, then falls as a cosine."""
    attention: Positive = 1.0
    """Multiplies the learning rate of both attention blocks."""
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of a running average of weights and batch statistics that stays at each step. Where it
    is not 0, the average is validated and kept instead of the network."""


class Stopping(Strict):
    """Which exams say which weights are best, and when it is enough."""

    on: Literal["validation", "inner", "nothing"] = "validation"
    """validation: the lowest loss on the validation split, which the bundle is calibrated on too.
    inner: the lowest loss of patients of the training split who only judge. nothing: the last
    weights stay. With the latter two the validation split has no part in training."""
    held_out: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Share of the training split's patients; for "inner"."""
    patience: Count | None = None
    """Validations in a row without a lower loss that end training. Empty: all steps are taken."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.on == "nothing" and self.patience is not None:
            raise ValueError('patience needs exams that judge: set on to "inner" or "validation"')
        return self


class Pretraining(Strict):
    """The autoencoder; it stops when the held-out patients' error has not fallen for a while."""

    enabled: bool = True
    epochs: Count = 800
    patience_epochs: Count = 20
    held_out: Annotated[float, Field(gt=0, lt=0.5)] = 0.10
    """Share of the training split's patients whose frames only judge."""
    learning_rate: Positive = 1e-4


class Fusion(Strict):
    """Attention over frames and over loops, or their plain mean."""

    frames: Literal["attention", "mean"] = "attention"
    loops: Literal["attention", "mean"] = "attention"


class Device(Strict):
    """Where and how exactly it is computed."""

    name: str = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the forward pass; float16 scales the loss. Half precision saves a third of the memory."""
    activation_checkpointing: Literal["auto"] | bool = "auto"
    """Compute each residual block twice and keep only its input: less memory, a third slower, the
    same network. auto: on a GPU only, which is how the paper's step of 12 x 5 x 5 frames of
    256 x 256 fits into 24 GB: it takes 31.3 GiB of activations, 22.5 in bfloat16, 11.2 with
    checkpointing, 5.9 with both."""
    channels_last: bool = True

    def checkpoints(self, device_type: str) -> bool:
        """Whether residual blocks are computed twice on a device ("cuda", "cpu")."""
        if self.activation_checkpointing == "auto":
            return device_type != "cpu"
        return self.activation_checkpointing


class Recipe(AnyRecipe):
    """One way of making a model."""

    pipeline: Literal["echo_haemodynamics"] = "echo_haemodynamics"
    architecture: str = "resnet50"
    frame_size_px: Annotated[int, Field(ge=32, le=1024, multiple_of=32)] = 256
    networks: Annotated[tuple[tuple[TargetName, ...], ...], Field(min_length=1)] = (
        ("mPAP",),
        ("PVR",),
        ("PAWP",),
    )
    """The targets of each network; [["mPAP", "PVR", "PAWP"]] is one network with three heads."""
    members: Count = 1
    """Networks of other seeds for the same targets, whose estimates are averaged."""
    seed: Annotated[int, Field(ge=0)] = 0
    sampling: Sampling = Sampling()
    augmentation: Augmentation = Augmentation()
    loss: Loss = Loss()
    optimisation: Optimisation = Optimisation()
    stopping: Stopping = Stopping()
    pretraining: Pretraining = Pretraining()
    fusion: Fusion = Fusion()
    device: Device = Device()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        try:
            find_multi_view(self.architecture)
        except UnknownArchitectureError as error:
            raise ValueError(str(error)) from error
        named = [target for network in self.networks for target in network]
        if not all(self.networks) or len(set(named)) < len(named):
            raise ValueError("networks: name each target once; `members` makes an ensemble")
        if "mPAP" not in named:
            raise ValueError("networks: mPAP is missing; its attention ranks the loops")
        return self

    @property
    def targets(self) -> tuple[str, ...]:
        """All targets, in the order of reports."""
        named = {target for network in self.networks for target in network}
        return tuple(name for name in QUANTITIES if name in named)

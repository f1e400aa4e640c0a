"""The recipe of a model of films and ECGs; every default is the paper's (PulmoFusion-mPAP)."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inference.bundle.strict import Strict
from inference.models.film_and_ecg import FILM_AND_ECG, FilmAndEcgArchitecture
from inference.radiograph.film import SIDE_PX
from inference.radiograph.patches import Layout, patch_px
from inference.training.any_recipe import AnyRecipe
from inference.training.recipe import Amount, Count, Positive


class Member(StrEnum):
    """One network of a run: what it sees. All but the first are there to be compared with it."""

    FUSED = "film and ecg"
    FILM = "film"
    ECG = "ecg"
    SHUFFLED = "shuffled labels"
    """Film and ECG, each training record with another patient's pressure: a control that must
    learn nothing."""

    @property
    def prefix(self) -> str:
        """Its folder in the run; of the first, its name in the bundle."""
        return {"film and ecg": "fusion", "shuffled labels": "shuffled"}.get(self, self.value)

    @property
    def sees_film(self) -> bool:
        """Whether the network has a film encoder."""
        return self is not Member.ECG

    @property
    def sees_ecg(self) -> bool:
        """Whether the network has an ECG encoder."""
        return self is not Member.FILM


class Optimisation(Strict):
    """Adam, and the mean squared error of z-scored pressures."""

    epochs: Count = 20
    batch_records: Count = 12
    learning_rate: Positive = 5e-5
    weight_decay: Amount = 0.0
    schedule: Literal["constant", "one-cycle"] = "constant"
    """one-cycle: rises from a tenth over the first fifth of all steps, then falls as a cosine."""


class Encoder(Strict):
    """How the film encoder begins and learns."""

    start: Literal["weights", "fresh"] = "weights"
    """weights: of a file that `echonode weights import` wrote, given with --encoder."""
    frozen: bool = False
    """It stays as it is, its batch statistics too, and only the rest learns."""
    learning_rate_factor: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Multiplies its learning rate."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of a transformer: multiplies the learning rate once more for each block below the last."""


class Recipe(AnyRecipe):
    """One way of making a model of films and ECGs."""

    pipeline: Literal["cxr_ecg"]
    architecture: str = "film_and_ecg_vit_l14"
    film: Layout = "grid"
    """grid: training sees a random patch of each film, judging all nine of the grid. whole: the
    film resized to `film_px`, in training shifted a little."""
    film_px: Annotated[int, Field(ge=32, le=SIDE_PX, multiple_of=2)] = SIDE_PX
    networks: Annotated[tuple[Member, ...], Field(min_length=1, strict=False)] = (
        Member.FUSED,
        Member.FILM,
    )
    seed: Annotated[int, Field(ge=0)] = 0
    shift: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    """Largest shift of a whole film in training, as a share of its side."""
    drop_ecg: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the records that each step sees without their ECG. An ECG that teaches fast keeps
    the film from being looked at; so the network must learn from both."""
    optimisation: Optimisation = Optimisation()
    encoder: Encoder = Encoder()
    device: str = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.architecture not in FILM_AND_ECG:
            raise ValueError(
                f"unknown architecture {self.architecture!r}; known: {', '.join(FILM_AND_ECG)}"
            )
        if len(set(self.networks)) < len(self.networks):
            raise ValueError("networks: name each once")
        seen_px = patch_px(self.film_px) if self.film == "grid" else self.film_px
        if self.built.fixed_size and seen_px != self.built.side_px:
            raise ValueError(
                f"film: {self.architecture} sees {self.built.side_px} pixels, not {seen_px}: "
                f"set film_px to {SIDE_PX} for the grid, to {self.built.side_px} for the whole film"
            )
        return self

    @property
    def built(self) -> FilmAndEcgArchitecture:
        """The architecture."""
        return FILM_AND_ECG[self.architecture]

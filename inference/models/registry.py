"""Every architecture that a bundle or a recipe may name, in one place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from inference.errors import UnknownArchitectureError
from inference.models.ecg_networks import ECG_NETWORKS
from inference.models.encoder import NarrowResNet, grey_convnext_tiny, grey_resnet50
from inference.models.film_and_ecg import FILM_AND_ECG
from inference.models.film_view import SIDE_PX, FilmViewNetwork
from inference.models.multiview import MultiView


class Architecture(Protocol):
    """How a network is built, and how it answers one example; so a bundle can test itself."""

    @property
    def input_shapes(self) -> Sequence[tuple[int, ...]]:
        """The shape of each input of one example, small, the batch of one included."""

    def build(self, outputs: int) -> nn.Module:
        """The whole network with fresh weights."""

    def answer(self, network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
        """What the network says of inputs (0..1) of these shapes: one number for each output."""


@dataclass(frozen=True, slots=True)
class MultiViewArchitecture:
    """A frame encoder, and the multi-view network around it.

    `feature_size` is that of one frame's feature; `frame_size_px` what it is meant to be trained
    at.
    """

    encoder: Callable[[], nn.Module]
    feature_size: int
    frame_size_px: int

    @property
    def input_shapes(self) -> Sequence[tuple[int, ...]]:
        """Loops of an exam (1, 2, 3, 1, 64, 64): small, since pooling is global."""
        return ((1, 2, 3, 1, 64, 64),)

    def build(self, outputs: int) -> MultiView:
        """The whole network with fresh weights."""
        return MultiView(self.encoder(), self.feature_size, outputs)

    def answer(self, network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
        """The outputs (K) for an exam in which every frame is there."""
        (clips,) = inputs
        everything = torch.ones(clips.shape[:3], dtype=torch.bool, device=clips.device)
        answered: Tensor = network(clips, everything).output[0]
        return answered


@dataclass(frozen=True, slots=True)
class FilmViewArchitecture:
    """The network that tells views of films apart; it has its own outputs."""

    @property
    def input_shapes(self) -> Sequence[tuple[int, ...]]:
        """One small film."""
        return ((1, 1, SIDE_PX, SIDE_PX),)

    def build(self, outputs: int) -> FilmViewNetwork:  # noqa: ARG002 - they are the views
        """The network with fresh weights."""
        return FilmViewNetwork()

    def answer(self, network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
        """The logits of the views."""
        answered: Tensor = network(*inputs)[0]
        return answered


#: Name, as bundles and recipes write it -> the architecture of an exam's many views.
MULTI_VIEW: Mapping[str, MultiViewArchitecture] = {
    "resnet50": MultiViewArchitecture(grey_resnet50, feature_size=2048, frame_size_px=256),
    "convnext_tiny": MultiViewArchitecture(grey_convnext_tiny, feature_size=768, frame_size_px=256),
    "resnet10_narrow": MultiViewArchitecture(NarrowResNet, feature_size=128, frame_size_px=64),
}

#: All that a bundle may name.
ARCHITECTURES: Mapping[str, Architecture] = {
    **MULTI_VIEW,
    **FILM_AND_ECG,
    **ECG_NETWORKS,
    "film_view": FilmViewArchitecture(),
}


def find_architecture(name: str) -> Architecture:
    """The architecture of a name.

    Raises:
        UnknownArchitectureError: this node knows none of that name.
    """
    if name not in ARCHITECTURES:
        raise UnknownArchitectureError(name, tuple(ARCHITECTURES))
    return ARCHITECTURES[name]


def find_multi_view(name: str) -> MultiViewArchitecture:
    """The architecture of many views of a name.

    Raises:
        UnknownArchitectureError: this node knows none of that name and kind.
    """
    if name not in MULTI_VIEW:
        raise UnknownArchitectureError(name, tuple(MULTI_VIEW))
    return MULTI_VIEW[name]


def without_storage(architecture: Architecture, outputs: int) -> nn.Module:
    """A network of shapes only, on the meta device, to compare or fill without initialising."""
    with torch.device("meta"):
        return architecture.build(outputs)

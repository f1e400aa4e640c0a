"""Every architecture that a bundle or a recipe may name, in one place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from inference.errors import UnknownArchitectureError
from inference.models.encoder import NarrowResNet, grey_convnext_tiny, grey_resnet50
from inference.models.multiview import MultiView


@dataclass(frozen=True, slots=True)
class Architecture:
    """A frame encoder, and the network around it.

    `feature_size` is that of one frame's feature; `frame_size_px` what it is meant to be trained
    at.
    """

    encoder: Callable[[], nn.Module]
    feature_size: int
    frame_size_px: int

    def build(self, outputs: int) -> MultiView:
        """The whole network with fresh weights."""
        return MultiView(self.encoder(), self.feature_size, outputs)

    def without_storage(self, outputs: int) -> MultiView:
        """A network of shapes only, on the meta device, to compare or fill without initialising."""
        with torch.device("meta"):
            return self.build(outputs)


#: Name, as bundles and recipes write it -> the architecture.
ARCHITECTURES: Mapping[str, Architecture] = {
    "resnet50": Architecture(grey_resnet50, feature_size=2048, frame_size_px=256),
    "convnext_tiny": Architecture(grey_convnext_tiny, feature_size=768, frame_size_px=256),
    "resnet10_narrow": Architecture(NarrowResNet, feature_size=128, frame_size_px=64),
}


def find_architecture(name: str) -> Architecture:
    """The architecture of a name.

    Raises:
        UnknownArchitectureError: this node knows none of that name.
    """
    if name not in ARCHITECTURES:
        raise UnknownArchitectureError(name, tuple(ARCHITECTURES))
    return ARCHITECTURES[name]

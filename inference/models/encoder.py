"""Frame encoders: one grey frame in, one pooled feature out.

Frames are float32 (N, 1, H, W) in 0..1, features (N, d). Pooling is global, so any height and width
that survive five halvings will do.
"""

import torch
from torch import Tensor, nn
from torchvision.models import convnext_tiny, resnet50
from torchvision.models.resnet import BasicBlock


def grey_resnet50() -> nn.Module:
    """torchvision's ResNet50 with a one-channel stem, no classifier: 2048-d, 23.5 M parameters."""
    network: nn.Module = resnet50(weights=None)
    network.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    _initialise(network)
    network.fc = nn.Identity()
    return network


def grey_convnext_tiny() -> nn.Module:
    """torchvision's ConvNeXt-Tiny with a one-channel stem, no classifier: 768-d, 27.8 M parameters.

    It is the frame encoder of PanEcho. Every residual branch is always taken: a branch dropped at
    random would have a state that training does not keep.
    """
    made = convnext_tiny(weights=None, stochastic_depth_prob=0.0)
    stem = nn.Conv2d(1, 96, kernel_size=4, stride=4)
    nn.init.trunc_normal_(stem.weight, std=0.02)
    nn.init.constant_(stem.get_parameter("bias"), 0.0)
    made.features[0][0] = stem
    made.classifier[2] = nn.Identity()
    network: nn.Module = made
    return network


class NarrowResNet(nn.Module):
    """A ResNet10 of a quarter of the usual width: 128-d, 0.3 M parameters, for 64 x 64 frames."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
        )
        self.stages = nn.Sequential(
            BasicBlock(16, 16),
            _halving_block(16, 32),
            _halving_block(32, 64),
            _halving_block(64, 128),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        _initialise(self)

    def forward(self, frames: Tensor) -> Tensor:
        """Encode frames (N, 1, H, W) to features (N, 128)."""
        maps = self.stem(frames)  # (N, 16, H/2, W/2)
        maps = self.stages(maps)  # (N, 128, H/16, W/16)
        return torch.flatten(self.pool(maps), start_dim=1)  # (N, 128)


def _halving_block(channels_in: int, channels_out: int) -> nn.Module:
    shortcut = nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size=1, stride=2, bias=False),
        nn.BatchNorm2d(channels_out),
    )
    block: nn.Module = BasicBlock(channels_in, channels_out, stride=2, downsample=shortcut)
    return block


def _initialise(network: nn.Module) -> None:
    """He initialisation of every convolution, as torchvision does it for its ResNets."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

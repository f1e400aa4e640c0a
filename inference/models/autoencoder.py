"""Pre-training: an autoencoder without skip connections, so that the feature must hold the frame.

The decoder is thrown away afterwards; the encoder goes on into `MultiView`.
"""

from itertools import pairwise

from torch import Tensor, nn

#: Channels of the smallest map and after each of the five doublings.
_CHANNELS = (256, 128, 64, 32, 16, 16)
_SHRINKAGE = 2 ** (len(_CHANNELS) - 1)


class Decoder(nn.Module):
    """Feature (N, d) to frame (N, 1, S, S) in 0..1; S is a multiple of 32."""

    def __init__(self, feature_size: int, frame_size_px: int) -> None:
        super().__init__()
        if frame_size_px % _SHRINKAGE:
            raise ValueError(f"frame size {frame_size_px} px is no multiple of {_SHRINKAGE}")
        side = frame_size_px // _SHRINKAGE
        self.seed = nn.Sequential(
            nn.Linear(feature_size, _CHANNELS[0] * side * side),
            nn.Unflatten(1, (_CHANNELS[0], side, side)),
        )
        self.grow = nn.Sequential(*(_doubling(a, b) for a, b in pairwise(_CHANNELS)))
        self.paint = nn.Sequential(nn.Conv2d(_CHANNELS[-1], 1, 3, padding=1), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        """Draw the frames that the features describe."""
        maps = self.seed(features)  # (N, 256, S/32, S/32)
        maps = self.grow(maps)  # (N, 16, S, S)
        frames: Tensor = self.paint(maps)  # (N, 1, S, S)
        return frames


class Autoencoder(nn.Module):
    """An encoder and the decoder that teaches it; the loss is the pixels' mean squared error."""

    def __init__(self, encoder: nn.Module, feature_size: int, frame_size_px: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = Decoder(feature_size, frame_size_px)

    def forward(self, frames: Tensor) -> Tensor:
        """Reconstruct frames (N, 1, S, S) from their features alone."""
        reconstructed: Tensor = self.decoder(self.encoder(frames))
        return reconstructed


def _doubling(channels_in: int, channels_out: int) -> nn.Module:
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )

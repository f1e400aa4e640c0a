"""From an encoder of normalised RGB to one of grey frames in 0..1, with the same features.

A grey frame g becomes (g - mean_c) / sd_c in channel c, so the stem's response is the sum over
channels of W_c / sd_c, convolved with g, plus a constant. The constant goes into the stem's bias or
into the mean of the BatchNorm behind it. Where the stem pads its input with zeros, as ResNet's
does, the border differs: there a zero is black, and was ImageNet's mean grey.
"""

import torch
from torch import Tensor

from inference.training.weights.kinds import IMAGENET_MEAN, IMAGENET_SD, Kind


def fold_grey(state: dict[str, Tensor], kind: Kind) -> dict[str, Tensor]:
    """The state with a one-channel stem, computed in float64 and given back as float32."""
    weight = state[f"{kind.stem}.weight"].double()  # (out, 3, h, w)
    mean = torch.tensor(IMAGENET_MEAN, dtype=torch.float64).view(1, 3, 1, 1)
    sd = torch.tensor(IMAGENET_SD, dtype=torch.float64).view(1, 3, 1, 1)
    grey = (weight / sd).sum(dim=1, keepdim=True)
    constant = -(weight * mean / sd).sum(dim=(1, 2, 3))
    folded = {**state, f"{kind.stem}.weight": grey.float()}
    if kind.norm:
        name, constant = f"{kind.norm}.running_mean", -constant
    else:
        name = f"{kind.stem}.bias"
    folded[name] = (state[name].double() + constant).float()
    return folded

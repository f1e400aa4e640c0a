"""A film's patches and the pictures of an ECG's leads to one estimate (PulmoFusion-mPAP).

    patches  --film encoder--> (B, P, F) --+
                                           +--joined, patch by patch--> head --> (B, P, K) --mean-->
    pictures --convolutions--> (B, G) -----+

Letters in shapes: B records, P patches of a film (1 where it is seen whole), S their side, F and G
feature sizes of film and ECG, K outputs. Outputs are z-scored. Where a network was made without one
of the two, its feature has no place in the head: the comparisons of the paper's Table 1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import resnet18, resnet34, vgg16

from inference.models.vit import vit_large

#: The twelve pictures of an ECG: their colours one after the other, height and width.
PICTURES = (36, 48, 224)
_MEAN: tuple[float, ...] = (0.485, 0.456, 0.406)
_SD: tuple[float, ...] = (0.229, 0.224, 0.225)


def stacked(pictures: NDArray[np.uint8]) -> Tensor:
    """Drawn leads (B, 12, 48, 224), grey, as the colours of pictures in 0..1: (B, 36, 48, 224).

    `inference.ecg.drawing.lead_pictures` gives three equal colours, of which one is enough.
    """
    grey = torch.from_numpy(pictures).float() / 255
    return grey.repeat_interleave(3, dim=1)


class FilmAndEcg(nn.Module):
    """Film encoder, ECG encoder and head.

    Patches are grey (B, P, 1, S, S), pictures colours (B, 36, 48, 224), both in 0..1. `usual_ecg`
    is the mean ECG feature of the training records: it stands in where the ECG is left out.
    """

    usual_ecg: Tensor

    def __init__(
        self,
        film: "FilmEncoder | None",
        ecg: "EcgEncoder | SmallEcgEncoder | None",
        hidden: int,
        outputs: int,
    ) -> None:
        super().__init__()
        if film is None and ecg is None:
            raise ValueError("a network of film and ECG needs one of them at least")
        self.film, self.ecg = film, ecg
        of_film, of_ecg = (0 if part is None else part.feature_size for part in (film, ecg))
        self.head = nn.Sequential(
            nn.Linear(of_film + of_ecg, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
        )
        self.register_buffer("usual_ecg", torch.zeros(of_ecg))

    def film_features(self, patches: Tensor) -> Tensor:
        """What each patch (B, P, 1, S, S) shows: (B, P, F); F is 0 without a film encoder."""
        if self.film is None:
            return patches.new_zeros(*patches.shape[:2], 0)
        features: Tensor = self.film(patches.flatten(0, 1))
        return features.view(*patches.shape[:2], -1)

    def ecg_feature(self, pictures: Tensor) -> Tensor:
        """What the leads (B, 36, 48, 224) show: (B, G); G is 0 without an ECG encoder."""
        if self.ecg is None:
            return pictures.new_zeros(len(pictures), 0)
        feature: Tensor = self.ecg(pictures)
        return feature

    def fuse(self, film: Tensor, ecg: Tensor | None) -> Tensor:
        """Estimates of each patch (B, P, K), of features (B, P, F) and (B, G); None: no ECG."""
        feature = self.usual_ecg.expand(len(film), -1) if ecg is None else ecg
        repeated = feature.unsqueeze(1).expand(-1, film.shape[1], -1)  # (B, P, G)
        estimates: Tensor = self.head(torch.cat([film, repeated], dim=2))
        return estimates

    def forward(
        self, patches: Tensor, pictures: Tensor, without_ecg: Tensor | None = None
    ) -> Tensor:
        """Estimates (B, K): the mean over the patches.

        Training leaves the ECG out where `without_ecg` (B,) is set.
        """
        film, ecg = self.film_features(patches), self.ecg_feature(pictures)
        if without_ecg is not None:
            ecg = torch.where(without_ecg.unsqueeze(1), self.usual_ecg, ecg)
        return self.fuse(film, ecg).mean(dim=1)


class FilmEncoder(nn.Module):
    """Grey films (N, 1, S, S) in 0..1 to features (N, F).

    A `coloured` encoder gets the grey in three channels, normalised as ImageNet's.
    """

    def __init__(self, encoder: nn.Module, feature_size: int, *, coloured: bool = True) -> None:
        super().__init__()
        self.encoder, self.feature_size = encoder, feature_size
        self._mean, self._sd = (_MEAN, _SD) if coloured else ((0.5,), (1.0,))

    def forward(self, films: Tensor) -> Tensor:
        """The feature of each film."""
        mean, sd = (films.new_tensor(each).view(1, -1, 1, 1) for each in (self._mean, self._sd))
        features: Tensor = self.encoder((films - mean) / sd)
        return features


class EcgEncoder(nn.Module):
    """Pictures of the leads (B, 36, 48, 224) to a feature (B, 128)."""

    feature_size = 128

    def __init__(self) -> None:
        super().__init__()
        blocks = [
            layer
            for before, after in pairwise((PICTURES[0], 64, 128, 256))
            for layer in (
                nn.Conv2d(before, after, 3, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2),
            )
        ]
        self.features = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.project = nn.Linear(256, self.feature_size)

    def forward(self, pictures: Tensor) -> Tensor:
        """The feature of each ECG."""
        feature: Tensor = self.project(self.features(pictures))
        return feature


class SmallEcgEncoder(nn.Module):
    """The same to a feature (B, 96): one of each three equal colours, at half the size."""

    feature_size = 96

    def __init__(self) -> None:
        super().__init__()
        self.features = _strided(PICTURES[0] // 3, 32, 64, self.feature_size)

    def forward(self, pictures: Tensor) -> Tensor:
        """The feature of each ECG."""
        grey = nn.functional.avg_pool2d(1 - pictures[:, ::3], 2)
        feature: Tensor = self.features(grey)
        return feature


def _strided(*channels: int) -> nn.Module:
    """Convolutions that each halve the picture, from scratch: the mean of the last one's maps."""
    blocks = [
        layer
        for before, after in pairwise(channels)
        for layer in (
            nn.Conv2d(before, after, 3, stride=2, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        )
    ]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _resnet(build: Callable[[], nn.Module]) -> FilmEncoder:
    network = build()
    network.fc = nn.Identity()
    return FilmEncoder(network, 512)


def _vgg16() -> FilmEncoder:
    network = nn.Sequential(vgg16().features, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return FilmEncoder(network, 512)


#: The film encoders, without their heads, by the names of recipes.
FILM_ENCODERS: Mapping[str, Callable[[], FilmEncoder]] = {
    "vit_l14": lambda: FilmEncoder(vit_large(), 1024),
    "resnet18": lambda: _resnet(resnet18),
    "resnet34": lambda: _resnet(resnet34),
    "vgg16": _vgg16,
    "small": lambda: FilmEncoder(_strided(1, 16, 32, 64, 96), 96, coloured=False),
}


@dataclass(frozen=True, slots=True)
class FilmAndEcgArchitecture:
    """A film encoder, and what it is joined with; `side_px` is that of its patches."""

    encoder: str
    side_px: int

    @property
    def fixed_size(self) -> bool:
        """Whether it takes no other side than `side_px`: a transformer has learned its places."""
        return self.encoder.startswith("vit")

    def build(self, outputs: int) -> FilmAndEcg:
        """The whole network with fresh weights."""
        return self.of_parts(outputs, film=True, ecg=True)

    def of_parts(self, outputs: int, *, film: bool, ecg: bool) -> FilmAndEcg:
        """The network, or what remains of it without the film or without the ECG."""
        small = self.encoder == "small"
        seen = FILM_ENCODERS[self.encoder]() if film else None
        heard = (SmallEcgEncoder() if small else EcgEncoder()) if ecg else None
        return FilmAndEcg(seen, heard, 64 if small else 592, outputs)

    @property
    def input_shapes(self) -> Sequence[tuple[int, ...]]:
        """One patch, and the pictures of one ECG."""
        return (1, 1, 1, self.side_px, self.side_px), (1, *PICTURES)

    def answer(self, network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
        """The estimates (K) of one record."""
        patches, pictures = inputs
        estimates: Tensor = network(patches, pictures)[0]
        return estimates


#: By the names of bundles and recipes.
FILM_AND_ECG: Mapping[str, FilmAndEcgArchitecture] = {
    "film_and_ecg_vit_l14": FilmAndEcgArchitecture("vit_l14", 224),
    "film_and_ecg_resnet18": FilmAndEcgArchitecture("resnet18", 224),
    "film_and_ecg_resnet34": FilmAndEcgArchitecture("resnet34", 224),
    "film_and_ecg_vgg16": FilmAndEcgArchitecture("vgg16", 224),
    "film_and_ecg_small": FilmAndEcgArchitecture("small", 56),
}

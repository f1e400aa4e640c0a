"""What a network makes of records: with the ECG, without it, and with another patient's."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.models.film_and_ecg import FilmAndEcg
from inference.training.cxr_ecg.recipe import Recipe
from inference.training.cxr_ecg.records import Records
from inference.training.network import autocast
from inference.training.recipe import Device

#: How many records are looked at in one call.
_AT_ONCE = 16

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Estimates:
    """z-scored estimates (N,) of records, the mean over their patches.

    `usual` replaces the ECG by the usual one of the training, `other` by another patient's.
    """

    fused: Values
    usual: Values
    other: Values


@contextmanager
def judging(device: torch.device, recipe: Recipe) -> Iterator[None]:
    """Without gradients, in the recipe's precision."""
    with torch.inference_mode(), autocast(device, Device(precision=recipe.precision)):
        yield


def estimates(
    network: FilmAndEcg, records: Records, layout: str, device: torch.device
) -> Estimates:
    """Look at every record."""
    features = [
        (
            network.film_features(records.patches(chosen, layout).to(device)),
            network.ecg_feature(records.pictures(chosen).to(device)),
        )
        for chosen in _parts(records)
    ]
    film, ecg = (torch.cat(each) for each in zip(*features, strict=True))
    return Estimates(
        fused=_mean(network.fuse(film, ecg)),
        usual=_mean(network.fuse(film, None)),
        other=_mean(network.fuse(film, ecg[_of_others(records)])),
    )


def usual_ecg(network: FilmAndEcg, records: Records, device: torch.device) -> Tensor:
    """The mean ECG feature of records: (G,)."""
    found = [network.ecg_feature(records.pictures(part).to(device)) for part in _parts(records)]
    return torch.cat(found).float().mean(dim=0)


def _parts(records: Records) -> list[NDArray[np.intp]]:
    return np.array_split(np.arange(len(records)), -(-len(records) // _AT_ONCE))


def _of_others(records: Records) -> list[int]:
    """For each record one of another patient: half the records on, or the next after it."""
    patients, count = records.patients, len(records)
    found = []
    for place, patient in enumerate(patients):
        order = ((place + count // 2 + step) % count for step in range(count))
        found.append(next((k for k in order if patients[k] != patient), place))
    return found


def _mean(by_patch: Tensor) -> Values:
    """Patches' estimates (N, P, 1) to (N,)."""
    return np.asarray(by_patch.float().mean(dim=1)[:, 0].cpu().numpy())

"""What is kept of one ECG until its study is concluded: some 90 kB of named arrays.

logit.PH, logit.postcapillary (1)   what the network says of its lead set
lead_set (1)                        its place among `LeadSet`
shares (12)                         of what the network looked at, the part in each lead
beat, looked_at (12, 480)           the median beat in mV, and how much the network looks where
drawn (12, samples)                 the ECG for the eye in mV, at 250 Hz; NaN in gaps
usable (12)  rhythm (2)             which leads are; mean and SD of the RR intervals in s
channels (leads, 2)                 group and channel of each lead that was recorded
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.ecg.beats import AFTER, BEFORE, r_waves
from inference.ecg.leads import Leads, LeadSet
from inference.ecg.look import Ecg
from inference.errors import BundleError, InferenceError
from inference.explaining.integrated_gradients import integrated_gradients
from inference.models.device import reproducible, same_kernels
from inference.models.lead_vae import EcgClassifier
from inference.pipelines.ecg_bundle import PH
from inference.types import Encoded, Features, InstanceRef

Array = NDArray[np.float32]

_LOGIT = "logit."
#: Every other sample is enough for the eye.
_DRAWN_EVERY = 2


@dataclass(frozen=True, slots=True)
class ReadEcg:
    """One ECG as a study is concluded from it; arrays as the module says."""

    instance: InstanceRef
    lead_set: LeadSet
    logits: Mapping[str, float]
    shares: Array
    beat: Array
    looked_at: Array
    drawn: Leads
    usable: NDArray[np.bool_]
    rhythm: Array
    channels: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]

    @property
    def rate_bpm(self) -> int:
        """The heart rate."""
        return round(60 / float(self.rhythm[0]))


def encode_ecg(
    network: EcgClassifier,
    signal: str,
    ecg: Ecg,
    lead_set: LeadSet,
    outputs: Mapping[str, int],
    device: torch.device,
) -> Features:
    """Judge an ECG by one of its lead sets, and see what the verdict on PH rests on.

    `outputs` says by question which number of the network is of that lead set.

    Raises:
        InferenceError: the network gave a number that is not finite.
    """
    fed = ecg.beat.leads if signal == "median beat" else ecg.leads
    rhythm = np.array([ecg.beat.rr_mean_ms, ecg.beat.rr_sd_ms], np.float32) / 1000
    leads = torch.from_numpy(fed).to(device)
    usable, of_rhythm = torch.tensor(ecg.usable, device=device), torch.from_numpy(rhythm).to(device)

    def answers(batch: Tensor) -> Tensor:
        count = len(batch)
        said: Tensor = network(batch, usable.expand(count, -1), of_rhythm.expand(count, -1))
        return said

    with reproducible():
        logits = answers(leads.unsqueeze(0))[0].cpu().numpy()
    with same_kernels():
        due = integrated_gradients(lambda batch: answers(batch)[:, outputs[PH]], leads)
    looked_at = np.abs(due.cpu().numpy())
    if not (np.isfinite(logits).all() and np.isfinite(looked_at).all()):
        raise InferenceError("the model gave numbers that are not finite")
    arrays = {
        **{f"{_LOGIT}{question}": logits[[place]] for question, place in outputs.items()},
        "lead_set": np.array([list(LeadSet).index(lead_set)], np.float32),
        "shares": _shares(looked_at),
        "beat": _half(ecg.beat.leads),
        "looked_at": _half(_of_beat(looked_at, ecg)),
        "drawn": _half(ecg.drawn[:, ::_DRAWN_EVERY]),
        "usable": np.array(ecg.usable, np.float32),
        "rhythm": rhythm,
        "channels": np.array(ecg.channels, np.float32),
    }
    return Features(arrays, frames=(), notes=ecg.notes)


def read_ecg(encoded: Encoded, asked: Mapping[LeadSet, Iterable[str]]) -> ReadEcg:
    """What `encode_ecg` kept; `asked` are the questions of the bundle by lead set.

    Raises:
        BundleError: it was made with another bundle.
    """
    arrays = encoded.features.arrays
    try:
        lead_set = list(LeadSet)[int(arrays["lead_set"][0])]
        logits = {name: float(arrays[f"{_LOGIT}{name}"][0]) for name in asked[lead_set]}
    except KeyError as error:
        raise BundleError("features of an ECG were made with another bundle") from error
    return ReadEcg(
        instance=encoded.instance,
        lead_set=lead_set,
        logits=logits,
        shares=arrays["shares"],
        beat=arrays["beat"],
        looked_at=arrays["looked_at"],
        drawn=np.repeat(arrays["drawn"].astype(np.float64), _DRAWN_EVERY, axis=1),
        usable=arrays["usable"] > 0,
        rhythm=arrays["rhythm"],
        channels=tuple((int(group), int(channel)) for group, channel in arrays["channels"]),
        notes=encoded.features.notes,
    )


def _shares(looked_at: Array) -> Array:
    """The part of each lead; all 0 where an answer rests on nothing."""
    parts = looked_at.sum(axis=1, dtype=np.float64)
    total = max(float(parts.sum()), float(np.finfo(np.float64).tiny))
    shares: Array = (parts / total).astype(np.float32)
    return shares


def _of_beat(looked_at: Array, ecg: Ecg) -> Array:
    """The same beside the median beat, 1 where it is most: of ten seconds the mean of the beats."""
    beside = looked_at
    if looked_at.shape != ecg.beat.leads.shape:
        padded = np.pad(looked_at, ((0, 0), (BEFORE, AFTER)))
        waves = r_waves(ecg.leads.astype(np.float64))
        beats = np.stack([padded[:, wave : wave + BEFORE + AFTER] for wave in waves])
        beside = beats.mean(axis=0)
    most = max(float(beside.max()), float(np.finfo(np.float32).tiny))
    return (beside / most).astype(np.float32)


def _half(array: NDArray[np.floating]) -> NDArray[np.floating]:
    """Three digits are enough for the eye."""
    return array.astype(np.float16)

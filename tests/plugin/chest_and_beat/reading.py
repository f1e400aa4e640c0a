"""From instances to numbers: how wide the shadow on a film is, how fast an ECG beats."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from chest_and_beat.registration import FILMS, TWELVE_LEADS
from inference.dicom.header import instance_ref
from inference.errors import InstanceUnreadableError
from inference.types import Code, Rejected, Selected, Selection, Verdict

NOT_READ = Code("NO-FILM-NO-ECG", "99TOY", "Neither film nor ECG")
SIDE_VIEW = Code("SIDE-VIEW", "99TOY", "Side view")
#: Colours of the mark on a film, and of a trace.
_RED, _GREEN = (220, 60, 60), (60, 200, 90)


@dataclass(frozen=True)
class Look:
    """One number and the picture that shows where it comes from, RGB."""

    number: float
    picture: NDArray[np.uint8]


def select(header: Dataset) -> Selection:
    """Films from the front, and 12-lead ECGs."""
    instance = instance_ref(header)
    if instance.sop_class_uid not in FILMS | {TWELVE_LEADS}:
        verdict = Verdict("class", False, "neither film nor ECG")
        return Rejected(instance, (verdict,), NOT_READ, verdict.detail)
    if header.get("ViewPosition", "") in {"LL", "RL"}:
        verdict = Verdict("view", False, "film from the side")
        return Rejected(instance, (verdict,), SIDE_VIEW, verdict.detail)
    return Selected(instance, (Verdict("class", True, "known"),), {})


def look(file: Path, selected: Selected) -> Look:
    """Measure one instance."""
    dataset = dcmread(file)
    try:
        if selected.instance.sop_class_uid == TWELVE_LEADS:
            return _beats(dataset)
        return _shadow(dataset)
    except (AttributeError, ValueError, NotImplementedError) as error:
        raise InstanceUnreadableError("neither pixels nor samples can be read") from error


def _shadow(dataset: Dataset) -> Look:
    """The share of the film's width in which its middle row is bright."""
    film = dataset.pixel_array.astype(float)
    film = (film - film.min()) / max(1.0, np.ptp(film))
    bright = film[film.shape[0] // 2] > 0.5
    picture = np.repeat((255 * film).astype(np.uint8)[..., None], 3, axis=2)
    picture[:, bright] = (picture[:, bright] + np.array(_RED)) // 2
    return Look(float(bright.mean()), picture.astype(np.uint8))


def _beats(dataset: Dataset) -> Look:
    """Beats a minute in the first lead: how often it rises above half of its peak."""
    first = dataset.waveform_array(0)[:, 0]
    level = first - np.median(first)
    above = np.abs(level) > 0.5 * np.abs(level).max()
    beats = int(np.sum(above[1:] & ~above[:-1]))
    seconds = len(first) / float(dataset.WaveformSequence[0].SamplingFrequency)
    return Look(60 * beats / seconds, _trace(level))


def _trace(samples: NDArray[np.float64], height: int = 120, width: int = 320) -> NDArray[np.uint8]:
    picture = np.full((height, width, 3), 245, np.uint8)
    columns = np.linspace(0, len(samples) - 1, width).astype(int)
    scaled = samples[columns] / max(1.0, np.abs(samples).max())
    rows = np.clip(((1 - scaled) / 2 * (height - 1)).astype(int), 0, height - 1)
    picture[rows, np.arange(width)] = _GREEN
    return picture

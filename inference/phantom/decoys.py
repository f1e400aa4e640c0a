"""What else a study holds: objects that each break one selection rule of the pipeline."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from inference.phantom.writing import OTHER_MAKER, Instance, Region

Pixels = NDArray[np.uint8]


class DecoyKind(StrEnum):
    """One kind of object that is no usable B-mode loop."""

    COLOUR = "colour"
    COLOUR_ONLY = "colour_only"
    M_MODE = "m_mode"
    PW = "pw"
    STILL = "still"
    ONE_R_WAVE = "one_r_wave"
    NO_FRAME_TIME = "no_frame_time"
    OTHER_VENDOR = "other_vendor"


@dataclass(frozen=True, slots=True)
class Decoy:
    """How a decoy differs from the loop that it is made of.

    `breaks` names the selection rule; `header` changes the loop's header, `picture` its sectors
    (grey, one per frame, to grey or RGB). A spectral trace breaks the data type besides, as every
    true one does.
    """

    breaks: str
    header: Callable[[Instance], Instance]
    picture: Callable[[Sequence[Pixels], np.random.Generator], Iterator[Pixels]]


def _plain(sectors: Sequence[Pixels], _rng: np.random.Generator) -> Iterator[Pixels]:
    yield from sectors


def _first(sectors: Sequence[Pixels], _rng: np.random.Generator) -> Iterator[Pixels]:
    yield sectors[0]


def _coloured(sectors: Sequence[Pixels], rng: np.random.Generator) -> Iterator[Pixels]:
    """Lay a box of flow over the dark parts: red towards the probe, blue away from it."""
    height, width = sectors[0].shape
    top, bottom, left, right = _flow_box(width, height)
    smooth = (height / 30, width / 30)
    towards = gaussian_filter(rng.standard_normal((bottom - top, right - left)), smooth)
    towards /= np.abs(towards).max()
    for number, sector in enumerate(sectors):
        picture = np.repeat(sector[..., None], 3, axis=2)
        box = picture[top:bottom, left:right]
        beat = np.sin(2 * np.pi * number / len(sectors))
        flow = (box[..., 0] < 70) & (np.abs(towards) > 0.15)
        speed = (np.abs(towards) * 255 * (0.4 + 0.6 * abs(beat))).astype(np.uint8)
        away = towards * (1 if beat >= 0 else -1) < 0
        box[flow] = np.stack([speed * ~away, speed // 3, speed * away], axis=-1)[flow]
        picture[[top, bottom - 1], left:right] = 200
        picture[top:bottom, [left, right - 1]] = 200
        yield picture


def _m_mode(sectors: Sequence[Pixels], _rng: np.random.Generator) -> Iterator[Pixels]:
    """Show the middle beam over time in every frame, as a sweep that has run full."""
    height, width = sectors[0].shape
    lines = np.stack([sector[:, width // 2] for sector in sectors], axis=1).astype(np.float32)
    at = np.linspace(0, len(sectors) - 1, width)
    low = np.minimum(at.astype(int), len(sectors) - 2)
    share = (at - low).astype(np.float32)
    trace = lines[:, low] * (1 - share) + lines[:, low + 1] * share
    for _ in sectors:
        yield trace.reshape(height, width).astype(np.uint8)


def _spectrum(sectors: Sequence[Pixels], rng: np.random.Generator) -> Iterator[Pixels]:
    """Show a flow spectrum around its baseline: one envelope per beat, speckled."""
    height, width = sectors[0].shape
    time = np.linspace(0, 2.5, width)[None] % 1
    speed = (np.linspace(1, -1, height)[:, None] + 0.3) / 1.1
    envelope = 0.8 * np.sin(np.pi * np.clip(time / 0.4, 0, 1)) ** 0.7
    inside = 1 / (1 + np.exp(-(envelope - speed) / 0.03)) * (speed > 0.02) * (envelope > 0.03)
    speckle = gaussian_filter(rng.exponential(1.0, (height, width)), 0.8)
    trace = np.clip(190 * speckle * inside * (0.4 + 0.6 * speed), 0, 255).astype(np.uint8)
    trace[int(0.65 * height)] = 140
    for _ in sectors:
        yield trace


def _flow_box(width: int, height: int) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of the colour box; the latter two exclusive."""
    return int(0.35 * height), int(0.75 * height), int(0.33 * width), int(0.67 * width)


def _with_flow_region(instance: Instance) -> Instance:
    tissue = instance.regions[0]
    x0, y0, x1, y1 = tissue.bounds
    top, bottom, left, right = _flow_box(x1 - x0 + 1, y1 - y0 + 1)
    bounds = (x0 + left, y0 + top, x0 + right - 1, y0 + bottom - 1)
    flow = Region(bounds, tissue.delta, data_type=2)
    return replace(instance, regions=(tissue, flow), colour=True)


def _as_flow(instance: Instance) -> Instance:
    return replace(instance, regions=(replace(instance.regions[0], data_type=2),), colour=True)


def _as_m_mode(instance: Instance) -> Instance:
    region = instance.regions[0]
    delta = (_seconds_per_pixel(region), region.delta[1])
    return replace(instance, regions=(replace(region, delta=delta, spatial_format=2),))


def _as_spectrum(instance: Instance) -> Instance:
    region = instance.regions[0]
    trace = Region(region.bounds, (_seconds_per_pixel(region), 1.0), spatial_format=3, data_type=3)
    return replace(instance, regions=(trace,))


def _seconds_per_pixel(region: Region) -> float:
    return 2.5 / (region.bounds[2] - region.bounds[0] + 1)


def _with_one_r_wave(instance: Instance) -> Instance:
    return replace(instance, r_waves_ms=(instance.r_waves_ms or (0.0,))[:1])


def _with_vector(instance: Instance) -> Instance:
    return replace(instance, as_vector=True)


def _by_other_vendor(instance: Instance) -> Instance:
    return replace(instance, maker=OTHER_MAKER, r_waves_ms=None)


def _unchanged(instance: Instance) -> Instance:
    return instance


DECOYS: Mapping[DecoyKind, Decoy] = {
    DecoyKind.COLOUR: Decoy("one_region", _with_flow_region, _coloured),
    DecoyKind.COLOUR_ONLY: Decoy("data_type", _as_flow, _coloured),
    DecoyKind.M_MODE: Decoy("spatial_format", _as_m_mode, _m_mode),
    DecoyKind.PW: Decoy("spatial_format", _as_spectrum, _spectrum),
    DecoyKind.STILL: Decoy("four_dimensional", _unchanged, _first),
    DecoyKind.ONE_R_WAVE: Decoy("r_waves", _with_one_r_wave, _plain),
    DecoyKind.NO_FRAME_TIME: Decoy("essential_tags", _with_vector, _plain),
    DecoyKind.OTHER_VENDOR: Decoy("essential_tags", _by_other_vendor, _plain),
}

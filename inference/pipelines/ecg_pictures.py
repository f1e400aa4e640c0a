"""What a reader sees of an ECG: its sheet, and its median beats with colour where it mattered."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter1d

from inference.ecg.beats import AFTER, BEFORE
from inference.ecg.cleaning import RATE_HZ
from inference.ecg.drawing import Pixels, sheet
from inference.ecg.leads import LEADS, LeadSet
from inference.pipelines.ecg_features import ReadEcg
from inference.types import Code, Picture

#: How the map of what the network looked at is made (PS3.16 CID 217).
SALIENCY = Code("130404", "DCM", "Saliency")

_WIDTH, _HEIGHT, _ROWS = 1200, 680, 3
_PAPER, _LOOKED_AT = np.array([255.0, 253, 250]), np.array([240.0, 60, 40])
_GRID, _INK = (236, 214, 210), (20, 20, 30)
_NO_DIAGNOSIS, _WORDS_PX = "Explanation of the model, not a diagnosis", 70
#: Neighbouring samples look alike, so colours are blurred by some 10 ms.
_BLUR = round(0.01 * RATE_HZ)
_LINE_S, _LINE_MV = 0.2, 0.5
#: Least and largest part of the height of a panel that one mV has.
_MV_PARTS = (0.1, 0.4)


def pictures(ecg: ReadEcg) -> tuple[Picture, Picture]:
    """The ECG as a cardiologist knows it, and what the estimate of PH rests on."""
    of = f"{ecg.lead_set}, {ecg.rate_bpm}/min"
    return (
        Picture(f"The ECG that was analysed: {of}", sheet(ecg.drawn)),
        Picture(
            "Median beats (lines: 0.2 s, 0.5 mV). The redder, the more the estimate of PH rests on "
            "it; numbers: share of each lead",
            beats(ecg),
            SALIENCY,
        ),
    )


def preview(map_of_beats: Pixels) -> Pixels:
    """The map as it may be shown by itself: with the words that it is no diagnosis below it."""
    height, width, _ = map_of_beats.shape
    picture = Image.new("RGB", (width, height + _WORDS_PX), "white")
    picture.paste(Image.fromarray(map_of_beats))
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_WORDS_PX * 0.7)
    pen.text((width / 2, height), _NO_DIAGNOSIS, _INK, font, anchor="ma")
    return np.asarray(picture)


def beats(ecg: ReadEcg) -> Pixels:
    """The median beats of the usable leads, RGB (680, 1200, 3), in the order of a sheet."""
    shown = range(len(LEADS) if ecg.lead_set is LeadSet.TWELVE else len(LEADS) // 2)
    columns = len(shown) // _ROWS
    width, height = _WIDTH // columns, _HEIGHT // _ROWS
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    redness = gaussian_filter1d(ecg.looked_at.astype(np.float64), _BLUR, axis=1)
    redness /= max(redness.max(), np.finfo(np.float64).tiny)
    for lead in shown:
        panel = _panel(ecg, lead, redness[lead], (width - 6, height - 6))
        picture.paste(panel, (lead // _ROWS * width + 3, lead % _ROWS * height + 3))
    return np.asarray(picture)


def _panel(
    ecg: ReadEcg, lead: int, redness: NDArray[np.float64], size: tuple[int, int]
) -> Image.Image:
    width, height = size
    samples = ecg.beat[lead]
    across = np.linspace(0, width - 1, len(samples))
    share = np.interp(np.arange(width), across, redness)[:, None]
    row = (1 - share) * _PAPER + share * _LOOKED_AT
    panel = Image.fromarray(np.repeat(row[None].astype(np.uint8), height, axis=0))
    pen = ImageDraw.Draw(panel)
    mv_px = height * _mv_part(ecg)
    middle = height * 0.55
    _grid(pen, width, height, middle, mv_px)
    if ecg.usable[lead]:
        down = middle - samples.astype(np.float64) * mv_px
        points = list(zip(across.tolist(), down.tolist(), strict=True))
        pen.line(points[: _length(ecg.beat)], _INK, 3, joint="curve")
        said = f"{LEADS[lead]}   {100 * float(ecg.shares[lead]):.0f} %"
    else:
        said = f"{LEADS[lead]} (none)"
    pen.text((8, 4), said, _INK, ImageFont.load_default(22))
    return panel


def _length(beat: NDArray[np.float32]) -> int:
    """How many samples of a beat are before the next one; behind them it is level."""
    changes = np.flatnonzero((np.diff(beat, axis=1) != 0).any(axis=0))
    return int(changes[-1]) + 1 if len(changes) else beat.shape[1]


def _mv_part(ecg: ReadEcg) -> float:
    """What part of a panel's height one mV has: the same in all, so that the largest beat fits."""
    largest = float(np.abs(ecg.beat).max())
    least, most = _MV_PARTS
    return min(most, max(least, 0.42 / max(largest, 0.1)))


def _grid(pen: ImageDraw.ImageDraw, width: int, height: int, middle: float, mv_px: float) -> None:
    """Lines every 0.2 s from the R wave, and every 0.5 mV from 0."""
    sample_px = width / (BEFORE + AFTER)
    step = _LINE_S * RATE_HZ * sample_px
    for x in np.arange(BEFORE * sample_px % step, width, step):
        pen.line((x, 0, x, height), _GRID)
    for y in np.arange(middle % (_LINE_MV * mv_px), height, _LINE_MV * mv_px):
        pen.line((0, y, width, y), _GRID)

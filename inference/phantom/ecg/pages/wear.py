"""What printing, handling and scanning do to a page."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from inference.phantom.ecg.pages.drawing import Pixels

_BLUE_PEN, _BLACK_PEN = (40, 60, 160), (50, 50, 55)


@dataclass(frozen=True, slots=True)
class Wear:
    """How a page is worn and scanned; what is 0 or false is left out. Lengths in pixels."""

    skew_degrees: float = 0.0
    folds: int = 0
    strokes: int = 0
    black_strokes: bool = False
    shade: float = 0.0
    """How much darker one corner is, a share."""
    blur_px: float = 0.0
    noise: float = 0.0
    """Standard deviation, of 255."""
    grey: bool = False
    scale: float = 1.0
    jpeg_quality: int = 0


def worn(page: Pixels, wear: Wear, rng: np.random.Generator) -> Pixels:
    """The page RGB (height, width, 3) as it comes out of the scanner."""
    picture = Image.fromarray(page)
    for _ in range(wear.strokes):
        _stroke(picture, _BLACK_PEN if wear.black_strokes else _BLUE_PEN, rng)
    if wear.folds or wear.shade:
        picture = _lit(picture, wear, rng)
    if wear.scale != 1.0:
        size = (round(picture.width * wear.scale), round(picture.height * wear.scale))
        picture = picture.resize(size, Image.Resampling.BOX)
    if wear.skew_degrees:
        paper = picture.getpixel((1, 1))
        turn = Image.Resampling.BICUBIC
        picture = picture.rotate(wear.skew_degrees, turn, expand=True, fillcolor=paper)
    if wear.blur_px:
        picture = picture.filter(ImageFilter.GaussianBlur(wear.blur_px))
    if wear.noise:
        noisy = np.asarray(picture) + rng.normal(0, wear.noise, np.asarray(picture).shape)
        picture = Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    if wear.grey:
        picture = picture.convert("L").convert("RGB")
    if wear.jpeg_quality:
        stored = io.BytesIO()
        picture.save(stored, "JPEG", quality=wear.jpeg_quality)
        picture = Image.open(stored).convert("RGB")
    return np.asarray(picture)


def _stroke(picture: Image.Image, colour: tuple[int, int, int], rng: np.random.Generator) -> None:
    """Something written by hand: a few bows, anywhere."""
    width, height = picture.size
    x, y = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height
    steps = rng.normal(0, 0.012 * width, (12, 2)).cumsum(axis=0)
    bends = np.stack([np.interp(np.arange(0, 11, 0.1), np.arange(12), one) for one in steps.T], 1)
    points = [(x + across, y + down) for across, down in bends.tolist()]
    ImageDraw.Draw(picture).line(points, colour, max(1, round(width / 700)), joint="curve")


def _lit(picture: Image.Image, wear: Wear, rng: np.random.Generator) -> Image.Image:
    """Light falls unevenly: darker to a corner, and on one side of each fold."""
    width, height = picture.size
    light = 1 - wear.shade * np.linspace(0, 1, width)[None, :] * np.linspace(0, 1, height)[:, None]
    for _ in range(wear.folds):
        upright, at = bool(rng.random() < 0.5), rng.uniform(0.2, 0.8)
        places = np.linspace(0, 1, width if upright else height) - at
        bent = 1 - 0.12 * np.exp(-np.maximum(places, 0) / 0.05) * (places > 0)
        bent[np.abs(places) < 0.0006] = 1.25  # ink is rubbed off the edge
        light = light * (bent[None, :] if upright else bent[:, None])
    pixels = np.asarray(picture) * light[..., None]
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))

"""Whether three samples are RGB or YCbCr: what is said of them is believed if the picture agrees.

Ultrasound is grey outside of colour boxes, tints and letters: in the right reading a lit pixel has
less colour than in a wrong one. Black ground is (0, 0, 0) in RGB and (0, 128, 128) in YCbCr.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.errors import LoopExcludedError, LoopUnreadableError
from inference.exclusions import SCHEME
from inference.types import Code, Verdict
from inference.ultrasound.pixel_format import PixelFormat
from inference.ultrasound.samples import Colours

COLOURS_UNCERTAIN = Code("COLOURS_UNCERTAIN", SCHEME, "RGB or YCbCr cannot be told")

Pictures = NDArray[np.uint8]

_FRAMES = 3
#: Pixels up to this (8 bits) may be black of RGB, or padding of either; they do not vote.
_BLACK = 8
#: By so much less colour (8 bits) a pixel votes for a reading.
_MARGIN = 16
#: Fewer votes say nothing; the share of all votes that is clear.
_FEWEST_VOTES = 20
_CLEAR_SHARE = 0.75
#: The share of a picture that its ground has, where the lit pixels do not decide.
_GROUND_SHARE = 0.1
#: A picture without black of which more than this has strong colour is none in this reading.
_STRONG = 64
_MOST_STRONG = 0.5
_LEAST_DARK = 0.02
_DARK = 24


def labelled_colours(written: PixelFormat) -> Colours:
    """What Photometric Interpretation says of three samples (PS3.3 C.7.6.3.1.2).

    YBR_ICT, YBR_RCT and XYB name a transform that the decoder undoes.

    Raises:
        LoopUnreadableError: it says something that three samples cannot be, or nothing.
    """
    label = _label(written)
    if label is None:
        raise LoopUnreadableError("the photometric interpretation is none of three samples")
    return label


def _label(written: PixelFormat) -> Colours | None:
    if written.photometric in {"YBR_FULL", "YBR_FULL_422"}:
        return Colours.YBR
    if written.photometric in {"RGB", "YBR_ICT", "YBR_RCT", "XYB"}:
        return Colours.RGB
    return None


class ClipColours:
    """Which colours the frames of one clip hold; the picture is asked once.

    The label, or what the codestream says in its place, counts as long as the picture does not
    clearly speak for another reading. Where the picture does not decide, it counts only if label
    and codestream agree: two independent statements. A picture with nothing lit is black
    either way.
    """

    def __init__(self, written: PixelFormat) -> None:
        self._written = written
        self._label = _label(written)
        self._settled: dict[Colours | None, Colours] = {}
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        """Say something of the clip, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def settle(self, said: Colours | None, pictures: Callable[[int], Pictures]) -> Colours:
        """The colours of samples of which the codestream says `said`, of None nothing.

        `pictures` gives up to so many frames of 8-bit samples (k, h, w, 3); one is mostly enough.

        Raises:
            LoopExcludedError: neither picture nor statements decide.
            LoopUnreadableError: nothing says anything of three samples.
        """
        if said not in self._settled:
            self._settled[said] = self._judge(said, pictures)
        return self._settled[said]

    def _judge(self, said: Colours | None, pictures: Callable[[int], Pictures]) -> Colours:
        claimed = said or labelled_colours(self._written)
        seen = colours_seen(pictures(1), claimed) or colours_seen(pictures(_FRAMES), claimed)
        if seen is None:
            if said is None or said is not self._label:
                detail = "neither RGB nor YCbCr clearly makes a grey picture of the pixels"
                raise LoopExcludedError(Verdict("colours", False, detail), COLOURS_UNCERTAIN)
            return claimed
        if seen not in {claimed, self._label}:
            label = self._written.photometric or "nothing"
            self.note(f"Pixels are {seen} although labelled {label}; read as such.")
        return seen


def colours_seen(pictures: Pictures, claimed: Colours) -> Colours | None:
    """Which colours 8-bit samples (k, h, w, 3) hold, by the picture alone; None where unclear.

    Where next to nothing is lit, what is `claimed`.
    """
    pixels = pictures.reshape(-1, 3).astype(np.float32)
    lit = pixels[pixels.max(axis=1) > _BLACK]
    names = tuple(Colours)
    colour = np.stack([colour_in(lit, name) for name in names])
    if colour.size == 0:
        return claimed
    ranked = np.sort(colour, axis=0)
    sure = ranked[1] - ranked[0] > _MARGIN
    votes = np.bincount(colour.argmin(axis=0)[sure], minlength=len(names))
    if votes.sum() < _FEWEST_VOTES:
        return claimed
    best = names[int(votes.argmax())]
    if votes.max() < _CLEAR_SHARE * votes.sum():
        by_ground = _by_ground(pixels)
        if by_ground is None:
            return None
        best = by_ground
    return best if _is_a_picture(pixels, best) else None


def colour_in(pixels: NDArray[np.float32], reading: Colours) -> NDArray[np.float32]:
    """How far apart R, G and B of each pixel (n, 3) are in a reading, 8 bits, not clipped."""
    rgb = as_rgb(pixels, reading)
    spread: NDArray[np.float32] = rgb.max(axis=1) - rgb.min(axis=1)
    return spread


def as_rgb(pixels: NDArray[np.float32], reading: Colours) -> NDArray[np.float32]:
    """RGB (n, 3) of samples (n, 3) in a reading; not clipped at the end."""
    if reading is Colours.RGB:
        return pixels
    if reading is Colours.YBR_TWICE:
        pixels = np.clip(as_rgb(pixels, Colours.YBR), 0, 255)
    luma, blue, red = pixels[:, 0], pixels[:, 1] - 128, pixels[:, 2] - 128
    green = luma - np.float32(0.344136) * blue - np.float32(0.714136) * red
    planes = luma + np.float32(1.402) * red, green, luma + np.float32(1.772) * blue
    return np.stack(planes, axis=1)


def _by_ground(pixels: NDArray[np.float32]) -> Colours | None:
    """What the black ground shows; None where there is none."""
    black = {
        Colours.YBR: np.array((0, 128, 128), np.float32),
        Colours.YBR_TWICE: np.array((90, 150, 64), np.float32),
        Colours.RGB: np.zeros(3, np.float32),
    }
    for reading, ground in black.items():
        if np.mean(np.abs(pixels - ground).max(axis=1) <= _BLACK) >= _GROUND_SHARE:
            return reading
    return None


def _is_a_picture(pixels: NDArray[np.float32], reading: Colours) -> bool:
    """Whether a reading gives an ultrasound picture: not colour all over with no black in it."""
    rgb = as_rgb(pixels, reading)
    dark = float(np.mean(rgb.max(axis=1) <= _DARK))
    strong = float(np.mean(rgb.max(axis=1) - rgb.min(axis=1) > _STRONG))
    return dark >= _LEAST_DARK or strong <= _MOST_STRONG


def coarse(pictures: Sequence[Pictures], longest_px: int = 128) -> Pictures:
    """Some pixels of some frames (h, w, 3) on a grid: (k, h, w, 3)."""
    step = max(1, max(pictures[0].shape[:2]) // longest_px)
    return np.stack([picture[::step, ::step] for picture in pictures])

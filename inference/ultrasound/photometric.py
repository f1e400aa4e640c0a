"""Whether three samples are RGB or YCbCr: what is said of them is believed if the picture agrees.

Ultrasound is grey outside of colour boxes, tints and letters: in the right reading a lit pixel has
less colour than in a wrong one. Black ground is (0, 0, 0) in RGB and (0, 128, 128) in YCbCr.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.samples import Colours
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.exclusions import reason
from inference.types import Verdict

COLOUR_UNCERTAIN = reason("COLOUR_UNCERTAIN", "Colour space (RGB or YCbCr) cannot be determined")

Pictures = NDArray[np.uint8]
Planes = NDArray[np.float32]

_FRAMES = 3
#: Pixels up to this (8 bits) may be black of RGB, or padding of either; they do not vote.
_BLACK = 8
#: Black in each reading (8 bits).
_BLACK_GROUND = {
    Colours.YBR: (0, 128, 128),
    Colours.YBR_TWICE: (90, 150, 64),
    Colours.RGB: (0, 0, 0),
}
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
#: Frames of one clip differ by less in their mean colour (8 bits); a box of colour adds less.
_MOST_UNLIKE = 40
_DARK = 24


def labelled_colours(written: PixelFormat) -> Colours:
    """What Photometric Interpretation says of three samples (PS3.3 C.7.6.3.1.2).

    YBR_ICT, YBR_RCT and XYB name a transform that the decoder undoes.

    Raises:
        InstanceUnreadableError: it says something that three samples cannot be, or nothing.
    """
    label = _label(written)
    if label is None:
        raise InstanceUnreadableError("the photometric interpretation is none of three samples")
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

    def settle(
        self, said: Colours | None, pictures: Callable[[int], Sequence[Pictures]]
    ) -> Colours:
        """The colours of samples of which the codestream says `said`, of None nothing.

        `pictures(n)` gives up to n frames of 8-bit samples (h, w, 3); one is mostly enough.

        Raises:
            InstanceExcludedError: neither picture nor statements decide.
            InstanceUnreadableError: nothing says anything of three samples.
        """
        if said not in self._settled:
            self._settled[said] = self._judge(said, pictures)
        return self._settled[said]

    def _judge(
        self, said: Colours | None, pictures: Callable[[int], Sequence[Pictures]]
    ) -> Colours:
        claimed = said or labelled_colours(self._written)
        seen = _seen(pictures(1), claimed) or _seen(pictures(_FRAMES), claimed)
        if seen is None:
            if said is None or said is not self._label:
                detail = "neither RGB nor YCbCr clearly makes a grey picture of the pixels"
                raise InstanceExcludedError(Verdict("colours", False, detail), COLOUR_UNCERTAIN)
            return claimed
        if seen not in {claimed, self._label}:
            label = self._written.photometric or "nothing"
            self.note(f"Pixels are {seen} although labelled {label}; corrected.")
        return seen


def _seen(pictures: Sequence[Pictures], claimed: Colours) -> Colours | None:
    return colours_seen(coarse(pictures), claimed)


def colours_seen(pictures: Pictures, claimed: Colours) -> Colours | None:
    """Which colours 8-bit samples (k, h, w, 3) hold, by the picture alone; None where unclear.

    Where next to nothing is lit, what is `claimed`.
    """
    planes = np.ascontiguousarray(pictures.reshape(-1, 3).T, np.float32)
    lit = planes[:, _most(planes) > _BLACK]
    names = tuple(Colours)
    colour = np.stack([_spread(as_rgb(lit, name)) for name in names])
    best = np.minimum(np.minimum(colour[0], colour[1]), colour[2])
    near = colour < best + _MARGIN
    votes = near[:, near.sum(axis=0) == 1].sum(axis=1)
    if votes.sum() < _FEWEST_VOTES:
        return claimed
    seen: Colours | None = names[int(votes.argmax())]
    if votes.max() < _CLEAR_SHARE * votes.sum():
        seen = _by_ground(planes)
    return seen if seen and _is_a_picture(as_rgb(planes, seen)) else None


def require_alike(pictures: Sequence[Pictures], colours: Colours) -> None:
    """Check that frames (h, w, 3) of one clip are as colourful as each other in one reading.

    Some encoders start frames at the wrong plane, which leaves every third one right.

    Raises:
        InstanceExcludedError: they are not.
    """
    spreads = [_mean_spread(coarse([picture]), colours) for picture in pictures]
    if max(spreads) - min(spreads) > _MOST_UNLIKE:
        detail = f"some frames have far more colour than others when read as {colours}"
        raise InstanceExcludedError(Verdict("colours", False, detail), COLOUR_UNCERTAIN)


def _mean_spread(pictures: Pictures, colours: Colours) -> float:
    planes = np.ascontiguousarray(pictures.reshape(-1, 3).T, np.float32)
    return float(np.clip(_spread(as_rgb(planes, colours)), 0, 255).mean())


def as_rgb(planes: Planes, reading: Colours) -> Planes:
    """R, G and B (3, n) of samples (3, n) in a reading; not clipped at the end."""
    if reading is Colours.RGB:
        return planes
    if reading is Colours.YBR_TWICE:
        planes = np.clip(as_rgb(planes, Colours.YBR), 0, 255)
    luma, blue, red = planes[0], planes[1] - 128, planes[2] - 128
    green = luma - np.float32(0.344136) * blue - np.float32(0.714136) * red
    return np.stack([luma + np.float32(1.402) * red, green, luma + np.float32(1.772) * blue])


def _most(planes: Planes) -> Planes:
    most: Planes = np.maximum(np.maximum(planes[0], planes[1]), planes[2])
    return most


def _spread(rgb: Planes) -> Planes:
    """How far apart R, G and B of each pixel are: how much colour it has."""
    return _most(rgb) + _most(-rgb)


def _by_ground(planes: Planes) -> Colours | None:
    """What the black ground shows; None where there is none."""
    for reading, black in _BLACK_GROUND.items():
        ground = np.abs(planes - np.array(black, np.float32)[:, None])
        if np.mean(_most(ground) <= _BLACK) >= _GROUND_SHARE:
            return reading
    return None


def _is_a_picture(rgb: Planes) -> bool:
    """Whether this may be an ultrasound picture: not colour all over, with no black in it."""
    dark = float(np.mean(_most(rgb) <= _DARK))
    return dark >= _LEAST_DARK or float(np.mean(_spread(rgb) > _STRONG)) <= _MOST_STRONG


def coarse(pictures: Sequence[Pictures], longest_px: int = 96) -> Pictures:
    """Some pixels of some frames (h, w, 3) on a grid: (k, h, w, 3)."""
    step = max(1, max(pictures[0].shape[:2]) // longest_px)
    return np.stack([picture[::step, ::step] for picture in pictures])

"""The scanners that may see a phantom: its own, and a foreign one that shares none of its imaging.

Both see the same circulation: the same seed has the same patients, pressures and catheters.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.phantom import anatomy, cine, views
from inference.phantom.anatomy import Anatomy
from inference.phantom.cine import Loop, Probe
from inference.phantom.foreign import anatomy as foreign_anatomy
from inference.phantom.foreign import hearts, imaging
from inference.phantom.foreign.screen import Screen as ForeignScreen
from inference.phantom.haemodynamics import Haemodynamics
from inference.phantom.presets import Preset
from inference.phantom.scan import Sector
from inference.phantom.screen import Screen as PhantomScreen
from inference.phantom.sizes import FOREIGN_SIZES, SIZES, Size
from inference.phantom.views import View
from inference.phantom.writing import MAKER

Pixels = NDArray[np.uint8]


class Imaging(Protocol):
    """One loop as a scanner shows it: a picture `width` pixels wide of `pixel_cm` each."""

    @property
    def width(self) -> int: ...  # noqa: D102

    @property
    def pixel_cm(self) -> float: ...  # noqa: D102

    def frames(self, times_ms: Sequence[float]) -> Iterator[Pixels]:
        """Grey pictures (size.sector, width) at these times; 0 outside the sector."""


class Screen(Protocol):
    """What surrounds the picture; `region` holds its bounds x0, y0, x1, y1, inclusive."""

    @property
    def region(self) -> tuple[int, int, int, int]: ...  # noqa: D102

    def show(self, sector: Pixels, time_ms: float) -> Pixels:
        """One frame, RGB (rows, columns, 3), of a grey or RGB sector."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """How hearts follow from pressures, and how they are seen and shown.

    `prefix` begins the ID of its patients, `shares` says how often each view turns up.
    `show` takes a loop, its imaging, a size, the clip's duration (ms) and its R waves (ms).
    """

    name: str
    maker: str
    model: str
    prefix: str
    sizes: Mapping[str, Size]
    shares: Mapping[View, float]
    draw_heart: Callable[[Haemodynamics, np.random.Generator, float, float | None], Anatomy]
    draw_probe: Callable[[View, Preset, np.random.Generator], Probe]
    image: Callable[[Loop, Size], Imaging]
    show: Callable[[Loop, Imaging, Size, float, Sequence[float]], Screen]

    def size_named(self, name: str) -> Size:
        """Find a size by its name.

        Raises:
            ValueError: there is none of this name.
        """
        if name not in self.sizes:
            raise ValueError(f"unknown size {name!r}; known: {', '.join(self.sizes)}")
        return self.sizes[name]


@dataclass(frozen=True, slots=True)
class _SectorImaging:
    """A loop through the phantom's own phased array."""

    loop: Loop
    sector: Sector

    @property
    def width(self) -> int:
        return self.sector.width

    @property
    def pixel_cm(self) -> float:
        return self.sector.pixel_cm

    def frames(self, times_ms: Sequence[float]) -> Iterator[Pixels]:
        return cine.frames(self.loop, self.sector, times_ms)


def _image(loop: Loop, size: Size) -> _SectorImaging:
    return _SectorImaging(loop, cine.sector_of(loop.probe, size.samples, size.beams, size.sector))


def _show(
    loop: Loop, shown: Imaging, size: Size, duration_ms: float, waves_ms: Sequence[float]
) -> PhantomScreen:
    texts: tuple[str, ...] = ()
    if size.rows >= 400:
        texts = (
            f"{loop.heart.heart_rate_bpm:.0f} HR",
            f"{1000 / size.frame_time_ms:.0f} FPS",
            f"{loop.probe.depth_cm:.0f} cm",
            "1.7/3.3 MHz",
        )
    return PhantomScreen(size, shown.width, shown.pixel_cm, duration_ms, waves_ms, texts)


def _show_foreign(
    _loop: Loop, shown: Imaging, size: Size, duration_ms: float, waves_ms: Sequence[float]
) -> ForeignScreen:
    return ForeignScreen(size, shown.width, shown.pixel_cm, duration_ms, waves_ms)


PHANTOM = Scanner(
    name="phantom",
    maker=MAKER,
    model="PHANTOM",
    prefix="PHANTOM",
    sizes=SIZES,
    shares=views.SHARES,
    draw_heart=anatomy.draw,
    draw_probe=cine.draw_probe,
    image=_image,
    show=_show,
)
FOREIGN = Scanner(
    name="foreign",
    maker="ECHONODE FOREIGN PHANTOM (SYNTHETIC)",
    model="FOREIGN",
    prefix="PHANTOM-FOREIGN",
    sizes=FOREIGN_SIZES,
    shares=hearts.SHARES,
    draw_heart=foreign_anatomy.draw,
    draw_probe=imaging.draw_probe,
    image=imaging.imaging,
    show=_show_foreign,
)
SCANNERS: Mapping[str, Scanner] = {scanner.name: scanner for scanner in (PHANTOM, FOREIGN)}


def scanner_named(name: str) -> Scanner:
    """Find a scanner by its name.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in SCANNERS:
        raise ValueError(f"unknown scanner {name!r}; known: {', '.join(SCANNERS)}")
    return SCANNERS[name]

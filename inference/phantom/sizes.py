"""How large a screen is and how finely its sector is sampled."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Screen, sector and sampling of one kind of cine; lengths in pixels."""

    name: str
    columns: int
    rows: int
    sector: int
    """Height of the sector, which is the height of the ultrasound region."""
    samples: int
    """Samples along a beam."""
    beams: int
    frame_time_ms: float
    beats: float
    """Length of a cine in heart beats, before and after the R waves included."""


SIZES: Mapping[str, Size] = {
    size.name: size
    for size in (
        Size("cart", 800, 600, 496, 448, 144, frame_time_ms=25.0, beats=2.4),
        Size("small", 208, 176, 128, 176, 80, frame_time_ms=50.0, beats=1.4),
    )
}


def size_named(name: str) -> Size:
    """Find a size by its name.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in SIZES:
        raise ValueError(f"unknown size {name!r}; known: {', '.join(SIZES)}")
    return SIZES[name]

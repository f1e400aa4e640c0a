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
    """Samples along a beam; 0 where a scanner computes its picture without beams."""
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

#: The same names on the foreign scanner.
FOREIGN_SIZES: Mapping[str, Size] = {
    size.name: size
    for size in (
        Size("cart", 1024, 768, 540, 0, 0, frame_time_ms=33.3, beats=2.2),
        Size("small", 288, 208, 150, 0, 0, frame_time_ms=40.0, beats=1.5),
    )
}

"""A film's plane and the soft shapes that are drawn on it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Grid:
    """Coordinates of every pixel: `x` to the viewer's right, `y` down, 0 in the middle.

    The film's height is 1, whatever its width.
    """

    x: Plane
    y: Plane

    @property
    def pixel(self) -> float:
        """The size of a pixel."""
        return 1 / len(self.x)


def grid(rows: int, columns: int) -> Grid:
    """The plane of a film of this many pixels."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    return Grid((x + 0.5 - columns / 2) / rows, (y + 0.5) / rows - 0.5)


def turned(plane: Grid, degrees: float, right: float, down: float) -> Grid:
    """The plane as something sees it that was turned and shifted on it."""
    angle = np.float32(np.deg2rad(degrees))
    cosine, sine = np.cos(angle), np.sin(angle)
    return Grid(
        cosine * plane.x + sine * plane.y - np.float32(right),
        -sine * plane.x + cosine * plane.y - np.float32(down),
    )


def inside(distance: Plane, softness: float) -> Plane:
    """1 where a distance is negative, 0 where it is positive, with a soft edge."""
    filled: Plane = 1 / (1 + np.exp(np.clip(distance / np.float32(softness), -40, 40)))
    return filled


def ellipse(plane: Grid, x: float, y: float, half_width: float, half_height: float) -> Plane:
    """How far outside an ellipse a pixel lies, about in heights; negative inside."""
    radius = np.hypot((plane.x - x) / half_width, (plane.y - y) / half_height)
    distance: Plane = (radius - 1) * np.float32(min(half_width, half_height))
    return distance


def dome(plane: Grid, x: float, y: float, half_width: float, half_height: float) -> Plane:
    """The thickness of an ellipsoid: 1 in the middle, 0 at its edge and outside."""
    squared = ((plane.x - x) / half_width) ** 2 + ((plane.y - y) / half_height) ** 2
    thick: Plane = np.sqrt(np.clip(1 - squared, 0, 1))
    return thick


def stroke(plane: Grid, start: tuple[float, float], end: tuple[float, float]) -> Plane:
    """The distance to a straight line between two points."""
    (x0, y0), (x1, y1) = start, end
    along_x, along_y = x1 - x0, y1 - y0
    squared = along_x**2 + along_y**2 or 1e-12
    at = ((plane.x - x0) * along_x + (plane.y - y0) * along_y) / np.float32(squared)
    at = np.clip(at, 0, 1)
    distance: Plane = np.hypot(plane.x - x0 - at * along_x, plane.y - y0 - at * along_y)
    return distance


def bone(distance: Plane, half_width: float) -> Plane:
    """A bone around a line: dense at its edges, less dense within."""
    edge = np.exp(-(((distance - half_width) / np.float32(0.35 * half_width)) ** 2))
    filled: Plane = 0.6 * inside(distance - half_width, 0.25 * half_width) + 0.5 * edge
    return filled

"""Painting tissue: signed distances to simple shapes, and the echo level of each point in dB."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Echo levels in dB below a specular reflector that faces the beam.
BLOOD_DB, TISSUE_DB, WALL_DB, LIVER_DB, MYOCARDIUM_DB = -64.0, -40.0, -30.0, -28.0, -25.0
LEAFLET_DB, PERICARDIUM_DB = -11.0, -5.0


def ellipse(x: Array, z: Array, centre: tuple[float, float], half: tuple[float, float]) -> Array:
    """Signed distance in cm to an ellipse, negative inside; exact on the border, close near it."""
    u, v = (x - centre[0]) / half[0], (z - centre[1]) / half[1]
    radius = np.sqrt(u * u + v * v) + 1e-6
    slope = np.sqrt((u / half[0]) ** 2 + (v / half[1]) ** 2) + 1e-6
    return np.asarray(radius * (radius - 1) / slope, np.float32)


def segment(x: Array, z: Array, start: tuple[float, float], end: tuple[float, float]) -> Array:
    """Distance in cm to a straight piece."""
    along = (end[0] - start[0], end[1] - start[1])
    length = along[0] ** 2 + along[1] ** 2 + 1e-9
    dx, dz = x - start[0], z - start[1]
    share = np.clip((dx * along[0] + dz * along[1]) / length, 0, 1)
    return np.asarray(np.hypot(dx - share * along[0], dz - share * along[1]), np.float32)


def turned(
    x: Array, z: Array, centre: tuple[float, float], angle_rad: float
) -> tuple[Array, Array]:
    """Coordinates in a frame at `centre`, turned by an angle (x axis towards +z)."""
    cosine, sine = np.float32(np.cos(angle_rad)), np.float32(np.sin(angle_rad))
    dx, dz = x - np.float32(centre[0]), z - np.float32(centre[1])
    return cosine * dx + sine * dz, -sine * dx + cosine * dz


class Canvas:
    """The echo level of every point of a polar grid (depth × beam), painted back to front.

    `x` and `z` are the points' coordinates in cm (x to the right of the picture, z away from the
    probe), `step_cm` the distance of two samples along a beam.
    """

    def __init__(self, x: Array, z: Array, step_cm: float, background_db: float) -> None:
        self.x = x
        self.z = z
        self.level_db: Array = np.full(x.shape, background_db, np.float32)
        self._step_cm = step_cm

    def fill(self, distance: Array, level_db: float, soft_cm: float = 0.08) -> None:
        """Fill where `distance` is negative; the border fades over `soft_cm`."""
        share = np.clip(np.float32(0.5) - distance / np.float32(2 * soft_cm), 0, 1)
        self.level_db += share * (np.float32(level_db) - self.level_db)

    def reflect(
        self,
        distance: Array,
        level_db: float,
        width_cm: float = 0.09,
        where: NDArray[np.bool_] | None = None,
    ) -> None:
        """Draw a specular interface where `distance` is near 0, or only that part of it.

        It is bright where it faces the beam and fades where it runs along it, as the lateral
        walls of a ventricle do: the change of distance along the beam is the cosine between them.
        """
        facing = np.minimum(np.abs(np.gradient(distance, self._step_cm, axis=0)), 1)
        away = (distance / np.float32(width_cm)) ** 2
        line_db = np.float32(level_db) - 20 * away - 24 * (1 - facing**2)
        if where is not None:
            line_db = np.where(where, line_db, BLOOD_DB)
        self.level_db = np.maximum(self.level_db, line_db).astype(np.float32)

    def chamber(self, inner: Array, wall: Array, wall_db: float) -> None:
        """Paint a blood-filled cavity within its wall."""
        self.fill(wall, wall_db)
        self.fill(inner, BLOOD_DB)
        self.reflect(inner, wall_db + 9, 0.07)

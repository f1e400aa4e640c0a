"""Ultrasound regions (PS3.3 C.8.5.5): which part of the image shows what."""

from dataclasses import dataclass

from pydicom import Dataset

from inference.dicom.elements import integer, items

TWO_DIMENSIONAL = 1
TISSUE = 1

_SMALLEST_SIDE_PX = 16


@dataclass(frozen=True, slots=True)
class Bounds:
    """A rectangle of pixels: zero-based, all four bounds inclusive, inside the image."""

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True, slots=True)
class Region:
    """One item of Sequence of Ultrasound Regions; None stands for absent or malformed.

    `spatial_format` is (0018,6012), `data_type` (0018,6014). `bounds` are clipped to the image.
    """

    spatial_format: int | None
    data_type: int | None
    bounds: Bounds | None


def read_regions(header: Dataset) -> tuple[Region, ...]:
    """All regions of an image in their order; never raises."""
    rows, columns = integer(header, "Rows") or 0, integer(header, "Columns") or 0
    return tuple(
        Region(
            spatial_format=integer(item, "RegionSpatialFormat"),
            data_type=integer(item, "RegionDataType"),
            bounds=_bounds(item, rows, columns),
        )
        for item in items(header, "SequenceOfUltrasoundRegions")
    )


def _bounds(item: Dataset, rows: int, columns: int) -> Bounds | None:
    x0, y0 = integer(item, "RegionLocationMinX0"), integer(item, "RegionLocationMinY0")
    x1, y1 = integer(item, "RegionLocationMaxX1"), integer(item, "RegionLocationMaxY1")
    if x0 is None or y0 is None or x1 is None or y1 is None:
        return None
    left, right = max(0, min(x0, x1)), min(columns - 1, max(x0, x1))
    top, bottom = max(0, min(y0, y1)), min(rows - 1, max(y0, y1))
    if min(right - left, bottom - top) + 1 < _SMALLEST_SIDE_PX:
        return None
    return Bounds(left, top, right, bottom)

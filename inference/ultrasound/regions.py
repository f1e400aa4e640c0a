"""Ultrasound regions (PS3.3 C.8.5.5): which part of the image shows what."""

from dataclasses import dataclass

from pydicom import Dataset

from inference.dicom.elements import integer, items

TWO_DIMENSIONAL, M_MODE, SPECTRAL, WAVE_FORM = 1, 2, 3, 4
TISSUE, COLOUR_FLOW, ECG_TRACE = 1, 2, 10

_SMALLEST_SIDE_PX = 16
_CORNERS = ("MinX0", "MinY0", "MaxX1", "MaxY1")


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

    `spatial_format` is (0018,6012), `data_type` (0018,6014). `bounds` are clipped to the image;
    `beyond_px` is how far the stated ones lie outside of it.
    """

    spatial_format: int | None
    data_type: int | None
    bounds: Bounds | None
    beyond_px: int = 0

    @property
    def is_tissue(self) -> bool:
        """Whether it shows two-dimensional tissue."""
        return self.spatial_format == TWO_DIMENSIONAL and self.data_type == TISSUE

    @property
    def is_flow(self) -> bool:
        """Whether it shows two-dimensional colour flow."""
        return self.spatial_format == TWO_DIMENSIONAL and self.data_type == COLOUR_FLOW

    @property
    def is_trace(self) -> bool:
        """Whether it shows M-mode or a Doppler spectrum."""
        return self.spatial_format in {M_MODE, SPECTRAL}

    @property
    def is_ecg(self) -> bool:
        """Whether it shows the trace of an ECG."""
        return self.spatial_format == WAVE_FORM and self.data_type == ECG_TRACE


def read_regions(header: Dataset) -> tuple[Region, ...]:
    """All regions of an image in their order; never raises."""
    rows, columns = integer(header, "Rows") or 0, integer(header, "Columns") or 0
    return tuple(
        _region(item, rows, columns) for item in items(header, "SequenceOfUltrasoundRegions")
    )


def _region(item: Dataset, rows: int, columns: int) -> Region:
    form, kind = integer(item, "RegionSpatialFormat"), integer(item, "RegionDataType")
    stated = [integer(item, f"RegionLocation{corner}") for corner in _CORNERS]
    x0, y0, x1, y1 = stated
    if x0 is None or y0 is None or x1 is None or y1 is None:
        return Region(form, kind, None)
    left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    beyond_px = max(0, -left, -top, right - columns + 1, bottom - rows + 1)
    inside = Bounds(max(0, left), max(0, top), min(columns - 1, right), min(rows - 1, bottom))
    narrowest = min(inside.x1 - inside.x0, inside.y1 - inside.y0) + 1
    return Region(form, kind, inside if narrowest >= _SMALLEST_SIDE_PX else None, beyond_px)

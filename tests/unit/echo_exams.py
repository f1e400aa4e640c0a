"""Synthetic B-mode loops on disk: valid for the selection rules, with pictures that differ."""

from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
ROWS, COLUMNS, FRAMES = 80, 112, 24


def write_loop(folder: Path, number: int, *, blank: bool = False) -> Path:
    """A colour cine of 24 frames, 40 ms apart, one heartbeat from 80 to 880 ms, one 2-D region."""
    loop = Dataset()
    loop.SOPClassUID = US_MULTIFRAME
    loop.SOPInstanceUID = f"2.25.{1000 + number}"
    loop.StudyInstanceUID, loop.SeriesInstanceUID = "2.25.1", "2.25.2"
    loop.Modality, loop.InstanceNumber = "US", number
    loop.StudyDescription = "Echocardiogram"
    loop.Rows, loop.Columns, loop.NumberOfFrames = ROWS, COLUMNS, FRAMES
    loop.SamplesPerPixel, loop.PlanarConfiguration = 3, 0
    loop.PhotometricInterpretation = "RGB"
    loop.BitsAllocated = loop.BitsStored = 8
    loop.HighBit, loop.PixelRepresentation = 7, 0
    loop.FrameTime, loop.RWaveTimeVector = 40.0, [80.0, 880.0]
    loop.SequenceOfUltrasoundRegions = [_region()]
    loop.PixelData = _pixels(number, blank=blank).tobytes()
    loop.file_meta = FileMetaDataset()
    loop.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{number}.dcm"
    loop.save_as(path, enforce_file_format=True)
    return path


def _region() -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 8, 4
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = COLUMNS - 9, ROWS - 5
    return region


def _pixels(number: int, *, blank: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A disc that beats, on speckle; `number` decides size, place and speckle."""
    shape = (FRAMES, ROWS, COLUMNS)
    if blank:
        return np.zeros((*shape, 3), np.uint8)
    random = np.random.default_rng(number)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    distance = np.hypot(rows - random.uniform(25, 55), columns - random.uniform(40, 72))
    beat = 1 + 0.3 * np.sin(np.arange(FRAMES) / FRAMES * 2 * np.pi)
    disc = distance < random.uniform(8, 25) * beat[:, None, None]
    grey = np.where(disc, 20, 120) + random.integers(0, 60, shape)
    inside = (rows >= 4) & (rows <= ROWS - 5) & (columns >= 8) & (columns <= COLUMNS - 9)
    grey[:, ~inside] = 0
    return np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)

"""What the senders of the receive benchmark send: made afresh, every instance with its own UIDs."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

_MULTI_FRAME = UID("1.2.840.10008.5.1.4.1.1.3.1")
_SECONDARY_CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")
_FRAMES, _ROWS, _COLUMNS = 60, 600, 800


@dataclass(frozen=True, slots=True)
class Workload:
    """Files to send over one association or several; `options` are storescu's."""

    name: str
    files: tuple[Path, ...]
    options: tuple[str, ...]
    in_bytes: bool

    @property
    def unit(self) -> str:
        return "MB/s" if self.in_bytes else "objects/s"

    @property
    def amount(self) -> float:
        """How much is sent, in megabytes or objects."""
        if self.in_bytes:
            return sum(file.stat().st_size for file in self.files) / 1e6
        return len(self.files)

    def first(self, count: int) -> "Workload":
        """The same with fewer files."""
        return Workload(self.name, self.files[:count], self.options, self.in_bytes)

    def shares(self, senders: int) -> list[Sequence[Path]]:
        """The files dealt out to so many senders."""
        return [self.files[number::senders] for number in range(senders)]


def jpeg_cines(folder: Path, count: int = 50) -> Workload:
    """Cines of 60 JPEG frames, 4.4 MB each: a lab's ordinary loop."""
    frames = _jpeg_frames(12)
    files = []
    for number in range(count):
        cine = _cine("YBR_FULL_422")
        order = [frames[(number + 5 * index) % len(frames)] for index in range(_FRAMES)]
        cine.PixelData = encapsulate(order)
        files.append(_save(folder / f"jpeg-{number:03}.dcm", cine, JPEGBaseline8Bit))
    return Workload("JPEG cines", tuple(files), ("-xy", "-R"), in_bytes=True)


def raw_cines(folder: Path, count: int = 3) -> Workload:
    """Uncompressed RGB cines of 86 MB each."""
    frame = np.random.default_rng(1).integers(0, 256, (_ROWS, _COLUMNS, 3), np.uint8).tobytes()
    files = []
    for number in range(count):
        cine = _cine("RGB")
        cine.PixelData = frame * _FRAMES
        files.append(_save(folder / f"raw-{number}.dcm", cine, ExplicitVRLittleEndian))
    return Workload("raw RGB cines", tuple(files), ("-x=", "-R"), in_bytes=True)


def small_objects(folder: Path, count: int = 2000) -> Workload:
    """Single grey images of 8 KB, fifty to a study."""
    pixels = np.random.default_rng(2).integers(0, 256, (88, 88), np.uint8).tobytes()
    files = []
    study = generate_uid()
    for number in range(count):
        study = generate_uid() if number % 50 == 0 else study
        picture = _instance(_SECONDARY_CAPTURE, "OT", study)
        _describe_pixels(picture, 88, 88, 1, "MONOCHROME2")
        picture.PixelData = pixels
        files.append(_save(folder / f"small-{number:04}.dcm", picture, ExplicitVRLittleEndian))
    return Workload("small objects", tuple(files), ("-x=", "-R"), in_bytes=False)


def _jpeg_frames(count: int) -> list[bytes]:
    """Speckle under a fan, as an echo has it: about 73 KB a frame."""
    random = np.random.default_rng(3)
    frames = []
    for _ in range(count):
        speckle = random.rayleigh(40, (_ROWS, _COLUMNS)).clip(0, 255).astype(np.uint8)
        encoded = BytesIO()
        Image.fromarray(speckle).convert("RGB").save(encoded, "JPEG", quality=28)
        frames.append(encoded.getvalue())
    return frames


def _cine(photometric: str) -> Dataset:
    cine = _instance(_MULTI_FRAME, "US", generate_uid())
    _describe_pixels(cine, _ROWS, _COLUMNS, 3, photometric)
    cine.PlanarConfiguration = 0
    cine.NumberOfFrames = _FRAMES
    cine.FrameTime = 16.7
    return cine


def _instance(sop_class: UID, modality: str, study: str) -> Dataset:
    instance = Dataset()
    instance.SOPClassUID = sop_class
    instance.SOPInstanceUID = generate_uid()
    instance.StudyInstanceUID = study
    instance.SeriesInstanceUID = f"{study[:60]}.1"
    instance.Modality = modality
    instance.PatientName = "Benchmark^Made"
    instance.PatientID = "BENCHMARK"
    instance.InstanceNumber = 1
    return instance


def _describe_pixels(
    instance: Dataset, rows: int, columns: int, samples: int, photometric: str
) -> None:
    instance.Rows, instance.Columns = rows, columns
    instance.SamplesPerPixel = samples
    instance.PhotometricInterpretation = photometric
    instance.BitsAllocated = instance.BitsStored = 8
    instance.HighBit = 7
    instance.PixelRepresentation = 0


def _save(path: Path, instance: Dataset, syntax: UID) -> Path:
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = syntax
    instance.save_as(path, enforce_file_format=True)
    return path

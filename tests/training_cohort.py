"""A small archive whose loops show their label, made into a cohort with cached frames."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

from inference.training.cohort import build, cache_frames, read_cohort
from inference.training.recipe import Recipe
from inference.training.recipe_files import parse_recipe

SIZE_PX = 32
SIDE, FRAMES = 40, 12
SPLIT = (0.4, 0.3, 0.3)


@dataclass(frozen=True, slots=True)
class Material:
    """The folders that training is made from."""

    archive: Path
    labels: Path
    cohort: Path
    frames: Path


def make_material(
    folder: Path,
    *,
    patients: int = 80,
    synthetic: bool = True,
    shuffled: bool = False,
    loops: Sequence[int] = (1, 2, 3, 6),
    split: Sequence[float] = SPLIT,
    size_px: int = SIZE_PX,
) -> Material:
    """Patients whose mPAP is the width of a bright disc; every fifth lacks a PVR.

    `loops` are the numbers of loops of the exams, in turn. `shuffled` gives every patient another
    one's catheterisation.
    """
    made = Material(*(folder / name for name in ("archive", "rhc.csv", "cohort", "frames")))
    rng = np.random.default_rng(7)
    mpap = rng.uniform(10, 60, patients)
    for patient in range(patients):
        for loop in range(loops[patient % len(loops)]):
            _write_loop(made.archive, patient, loop, mpap[patient], synthetic=synthetic)
    measured = rng.permutation(mpap) if shuffled else mpap
    rows = [
        f"X{n},2020-01-01,{value:.1f},{f'{value / 8:.2f}' if n % 5 else ''},{4 + value / 10:.1f}"
        for n, value in enumerate(measured)
    ]
    made.labels.write_text("\n".join(["patient_id,rhc_date,mpap_mmhg,pvr_wu,pawp_mmhg", *rows]))
    build(made.archive, made.labels, made.cohort, seed=1, split=split)
    cache_frames(read_cohort(made.cohort), made.frames, size=size_px)
    return made


def small_recipe(extra: str = "", *, epochs: int = 3) -> Recipe:
    """A recipe that trains in seconds; `extra` is more TOML, tables last."""
    return parse_recipe(
        f"""
        name = "tiny"
        architecture = "resnet10_narrow"
        frame_size_px = {SIZE_PX}
        networks = [["mPAP", "PVR", "PAWP"]]
        device.name = "cpu"
        sampling = {{ exams = 8, loops = 2, frames = 2 }}
        optimisation = {{ epochs = {epochs}, learning_rate = 3e-3, schedule = "one-cycle" }}
        {extra if "pretraining" in extra else "pretraining.enabled = false" + chr(10) + extra}
        """,
        "tiny",
        Recipe,
    )


def as_toml(table: dict[str, object], at: str = "") -> str:
    """A recipe's keys, one a line; JSON's strings, numbers and lists are TOML's too."""
    lines = []
    for key, value in table.items():
        if isinstance(value, dict):
            lines.append(as_toml(value, f"{at}{key}."))
        elif value is not None:
            lines.append(f"{at}{key} = {json.dumps(value)}")
    return "\n".join(lines)


def _write_loop(archive: Path, patient: int, loop: int, mpap: float, *, synthetic: bool) -> None:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.StudyInstanceUID, data.SeriesInstanceUID = f"2.25.{patient + 1}", f"2.25.{patient + 1}.1"
    data.SOPInstanceUID = f"{data.SeriesInstanceUID}.{loop + 1}"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.PatientID, data.PatientName, data.StudyDate = f"X{patient}", "X^X", "20200110"
    data.StudyDescription = "Echocardiogram"
    data.Manufacturer = "MAKER (SYNTHETIC)" if synthetic else "MAKER"
    data.Modality, data.NumberOfFrames, data.Rows, data.Columns = "US", FRAMES, SIDE, SIDE
    data.SamplesPerPixel, data.PhotometricInterpretation = 3, "RGB"
    data.PlanarConfiguration = 0
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.FrameTime, data.RWaveTimeVector = 100, [0.0, 1000.0]
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1 = region.RegionLocationMaxY1 = SIDE - 1
    data.SequenceOfUltrasoundRegions = [region]
    data.PixelData = _pixels(patient, loop, mpap).tobytes()
    path = archive / f"{patient}/{loop}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


def _pixels(
    patient: int, loop: int, mpap: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng = np.random.default_rng([patient, loop])
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(rows - SIDE / 2 - rng.uniform(-3, 3), columns - SIDE / 2)
    grey = np.where(distance < mpap / 4, 200, 40) + rng.normal(0, 15, (FRAMES, SIDE, SIDE))
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)

"""Probes of familiarity through a trained run: how far each lies from the training loops.

The table stays in the run as probes.csv, a row per loop, until the run is predicted again.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from inference.bundle.familiarity import Familiarity
from inference.bundle.loading import Bundle
from inference.dicom.elements import integer
from inference.dicom.header import read_header
from inference.errors import InstanceExcludedError, InstanceUnreadableError, TrainingDataError
from inference.models.device import choose_device
from inference.models.multiview import MultiView
from inference.phantom import probes
from inference.phantom.probes import Probe
from inference.training.cohort import read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.evaluation.familiarity import PROBE_COLUMNS, PROBES_CSV
from inference.training.exams import open_exams
from inference.training.familiarity import by_prefix, read_familiarity
from inference.training.network import loop_features
from inference.training.output import write_whole
from inference.training.run import read_run
from inference.training.trained import in_memory, load_networks
from inference.ultrasound.decoding import decode_frames
from inference.ultrasound.plausibility import tissue_of
from inference.ultrasound.preprocessing import crop, resize, to_square
from inference.ultrasound.regions import read_regions

Pixels = NDArray[np.uint8]


def probe(
    run: Path,
    cohort: Path,
    frames: Path,
    *,
    clips: Path | None = None,
    exams: int = probes.EXAMS,
    seed: int = 1,
    on_progress: Progress = silent,
) -> pd.DataFrame:
    """Measure all probes by a predicted run, and keep the table in it.

    Each kind has `exams` exams; those made from known ones are made from the first of the test
    split. `clips` is a folder
    with ultrasound of other kinds as DICOM, for instance of other organs.

    Raises:
        TrainingDataError: the run is not finished or not predicted, or `clips` holds no picture.
    """
    made, found = read_run(run), read_cohort(cohort)
    size = made.recipe.frame_size_px
    bundle = in_memory(made, load_networks(run, made), choose_device(made.recipe.device.name))
    sizes = {
        spec.prefix: network.feature_size
        for spec, network in zip(
            bundle.manifest.networks, bundle.networks_of(MultiView), strict=True
        )
    }
    familiarity = read_familiarity(run, sizes)
    known = open_exams(found, frames, split="test", size=size).first(exams)
    loops = [np.array(exam.frames[: probes.LOOPS]) for exam in known]
    made_up = chain(
        probes.changed(loops, seed),
        probes.invented(size, seed, exams),
        probes.scanned(size, seed, exams),
    )
    rows: list[tuple[str, str, str, float]] = []
    for done, each in enumerate(chain(made_up, _read(clips, size)), start=1):
        on_progress("probes", done, done)
        for number, pixels in enumerate(each.exams, start=1):
            found_at = _distances(bundle, familiarity, pixels)
            rows += [(each.group, each.name, f"{number:03}", distance) for distance in found_at]
    table = pd.DataFrame(rows, columns=list(PROBE_COLUMNS))
    write_whole(run / PROBES_CSV, table.to_csv(index=False))
    return table


def read_probes(run: Path) -> pd.DataFrame | None:
    """What `probe` kept, or nothing where it was not called.

    Raises:
        TrainingDataError: the file does not fit.
    """
    path = run / PROBES_CSV
    if not path.is_file():
        return None
    try:
        table = pd.read_csv(path, dtype={"group": str, "name": str, "exam": str})
        table["distance"] = table["distance"].astype(float)
        return table[list(PROBE_COLUMNS)]
    except (KeyError, ValueError) as error:
        raise TrainingDataError(
            f"{path}: not a table of probes ({error}); delete it and evaluate the run again"
        ) from None


def _distances(bundle: Bundle, familiarity: Familiarity, pixels: Pixels) -> list[float]:
    device = next(bundle.networks[0].parameters()).device
    with torch.inference_mode():
        features = [
            loop_features(network, pixels, device) for network in bundle.networks_of(MultiView)
        ]
    return [float(far) for far in familiarity.distances(by_prefix(bundle, features, pixels))]


def _read(folder: Path | None, size: int) -> Iterator[Probe]:
    """The clips of a folder, each an exam of one loop; a still is a loop that stands still."""
    if folder is None:
        return
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    read = [clip for path in paths if (clip := _clip(path, size)) is not None]
    if not read:
        raise TrainingDataError(f"clips: no ultrasound picture can be read in {folder}")
    name = f"{len(read)} files" if len(read) == len(paths) else f"{len(read)} of {len(paths)} files"
    yield Probe("given clips", name, tuple(read))


def _clip(path: Path, size: int) -> Pixels | None:
    """Ten frames over the whole of a clip, of its tissue region where it has one."""
    try:
        header = read_header(path)
        count = max(integer(header, "NumberOfFrames") or 1, 1)
        indices = [number * count // probes.FRAMES for number in range(probes.FRAMES)]
        pictures = decode_frames(path, indices)
        region = tissue_of(read_regions(header))
        if region is not None and region.bounds is not None:
            pictures = crop(pictures, region.bounds)
        return np.rint(resize(to_square(pictures), size) * 255).astype(np.uint8)[None]
    except (InstanceUnreadableError, InstanceExcludedError, OSError):
        return None

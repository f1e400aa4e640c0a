"""Who plays in the demonstration: two synthetic patients, one real clip, and the bundles."""

import uuid
from pathlib import Path

from pydicom import dcmread, dcmwrite, examples

import inference.bundle
from dicom_node.demo.story import DemoStudy
from inference.phantom import make_study
from inference.phantom.haemodynamics import expected
from inference.phantom.patients import make_pair

_ECHO, _ECG, _FILM = "echo_haemodynamics", "ecg_ph", "cxr_ecg"
_FOLDER = Path(inference.bundle.__file__).parent
#: Trained on the phantom, by pipeline; `make demo-bundles` trains them again.
BUNDLES = {
    _ECHO: _FOLDER / "demonstration",
    _ECG: _FOLDER / "demonstration_ecg",
    _FILM: _FOLDER / "demonstration_film",
}

_LOW = ("low pressure", 14.0, 8.0)
_HIGH = ("high pressure", 52.0, 9.0)
_LOOPS = 6
#: The example's picture was made half as large without its region.
_REAL_BOUNDS = {
    "RegionLocationMinX0": 42,
    "RegionLocationMinY0": 15,
    "RegionLocationMaxX1": 297,
    "RegionLocationMaxY1": 206,
}


def make_studies(folder: Path) -> list[DemoStudy]:
    """Write echo, ECG and film of a low and of a high pressure, with decoys, and one real clip."""
    studies = []
    for seed, (title, mpap_mmhg, pawp_mmhg) in enumerate((_LOW, _HIGH), start=1):
        target = folder / title.replace(" ", "-")
        truth = expected(mpap_mmhg, pawp_mmhg)
        files = make_study(target, truth, seed=seed, loops=_LOOPS)
        known = f"made at mPAP {mpap_mmhg:g} mmHg"
        pair = make_pair(target / "pair", truth, seed=seed)
        studies += [
            DemoStudy(f"{title}, echo", files, known, _ECHO),
            DemoStudy(f"{title}, ECG", [pair.ecg], known, _ECG, images=False),
            DemoStudy(f"{title}, film and ECG", [pair.film], known, _FILM),
        ]
    return [*studies, _real_clip(folder / "real-clip")]


def _real_clip(folder: Path) -> DemoStudy:
    """pydicom's example of a real cart's loop, with the R waves that this cart does not write.

    Nobody measured a pressure there, and the R waves are invented: it shows that real pixels go the
    whole way, and that a model that knows phantoms only makes no estimate of a real heart.
    """
    dataset = dcmread(examples.get_path("ybr_color"))
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        derived = uuid.uuid5(uuid.NAMESPACE_OID, f"echonode demo {dataset[keyword].value}")
        setattr(dataset, keyword, f"2.25.{derived.int}")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PatientName, dataset.PatientID = "DEMO^REAL CLIP", "DEMO-REAL-CLIP"
    dataset.RWaveTimeVector = [33.0, 800.0]
    for keyword, value in _REAL_BOUNDS.items():
        setattr(dataset.SequenceOfUltrasoundRegions[0], keyword, value)
    folder.mkdir(parents=True)
    path = folder / "0001.dcm"
    dcmwrite(path, dataset, enforce_file_format=True)
    known = "a real cart's loop; the model knows phantoms only"
    return DemoStudy("real clip", [path], known, _ECHO)

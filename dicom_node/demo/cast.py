"""Who plays in the demonstration: two synthetic studies, and a bundle to estimate with."""

from pathlib import Path

from dicom_node.demo.story import DemoStudy
from inference.bundle.untrained import make_untrained
from inference.phantom import make_study
from inference.phantom.haemodynamics import expected

_LOW = ("low pressure", 14.0, 8.0)
_HIGH = ("high pressure", 52.0, 9.0)
_LOOPS = 6


def make_studies(folder: Path) -> list[DemoStudy]:
    """Write one study of low and one of high pressure, loops and decoys, as a cart would."""
    studies = []
    for seed, (title, mpap_mmhg, pawp_mmhg) in enumerate((_LOW, _HIGH), start=1):
        truth = expected(mpap_mmhg, pawp_mmhg)
        target = folder / title.replace(" ", "-")
        studies.append(DemoStudy(title, make_study(target, truth, seed=seed, loops=_LOOPS)))
    return studies


def make_bundle(folder: Path) -> Path:
    """The bundle of the demonstration."""
    make_untrained(folder, architecture="resnet10_narrow")
    return folder

"""The demonstration's model of film and ECG: small, and blind to how a film is written."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import inference.bundle
from inference.bundle.loading import load_bundle
from inference.bundle.manifest import FilmAndEcgPreprocessing
from inference.models.film_and_ecg import FilmAndEcg
from inference.phantom.film.storing import VARIANTS
from inference.radiograph.film import look
from inference.radiograph.patches import patches
from tests.unit.films import write_film

BUNDLE = Path(inference.bundle.__file__).with_name("demonstration_film")
MPAP_MMHG = Callable[[Path], float]


@pytest.fixture(scope="module")
def mpap_mmhg() -> MPAP_MMHG:
    """The estimate of a film without an ECG."""
    bundle = load_bundle(BUNDLE, torch.device("cpu"))
    network, target = bundle.by_prefix["fusion"], bundle.manifest.quantities["mPAP"]
    fed = bundle.manifest.preprocessing
    assert isinstance(network, FilmAndEcg)
    assert isinstance(fed, FilmAndEcgPreprocessing)

    def estimate(path: Path) -> float:
        seen = torch.from_numpy(patches(look(path).pixels, fed.film, fed.film_px).copy())
        with torch.inference_mode():
            output = network.fuse(network.film_features(seen[None, :, None]), None).mean()
        return target.recalibration(target.mean + target.sd * float(output))

    return estimate


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in BUNDLE.iterdir()) < 3_000_000


def test_a_film_written_both_ways_gives_one_estimate(mpap_mmhg: MPAP_MMHG, tmp_path: Path) -> None:
    one, other = (
        mpap_mmhg(
            write_film(tmp_path / f"{inverted}.dcm", replace(VARIANTS[0], white_is_zero=inverted))
        )
        for inverted in (False, True)
    )
    assert other == pytest.approx(one, abs=1e-4)


def test_a_header_that_lies_about_white_moves_it(mpap_mmhg: MPAP_MMHG, tmp_path: Path) -> None:
    true = mpap_mmhg(write_film(tmp_path / "true.dcm"))
    lied = mpap_mmhg(write_film(tmp_path / "lie.dcm", PhotometricInterpretation="MONOCHROME1"))
    assert abs(lied - true) > 1

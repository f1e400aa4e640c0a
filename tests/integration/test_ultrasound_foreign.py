"""Clips that must get no number, and controls that must keep theirs, by the tests' model.

The thyroid of a cart that says so, or says nothing, or says that it is a heart, is a real still of
a lymph node by a linear probe, repeated as a hand and an amplifier would change it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from dicom_node.work.prepare import judge
from inference.dicom.header import read_header
from inference.pipeline import Pipeline, load_pipeline
from inference.types import Case, Encoded, Findings, Rejected
from inference.ultrasound.decoding import decode_frames
from inference.ultrasound.loop import Loop
from inference.ultrasound.profile import Profile
from tests.peers import shared
from tests.phantom_model import PHANTOM_BUNDLE
from tests.unit.ultrasound_files import cine, region, save

pytestmark = [
    pytest.mark.parametrize("profile", Profile),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

FRAMES = 20
#: Where three real stills of other organs show tissue: top, bottom, left, right.
STILLS = {
    "ge_logiq700_us1_rle_still": (97, 330, 5, 630),
    "philips_clearvue_pal_implicit_still": (60, 519, 120, 801),
    "philips_cx50_ob_2f_pal_rle": (60, 519, 120, 801),
}
HEART_TAGS = {"StudyDescription": "TTE", "BodyPartExamined": "HEART"}
NO_TAGS = {"StudyDescription": "US"}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    # How familiar a picture is to the bundle of the day is no matter here.
    return load_pipeline("echo_haemodynamics", PHANTOM_BUNDLE, "cpu", unfamiliar="off")


def findings(pipeline: Pipeline, path: Path, profile: Profile) -> Findings:
    """What a study of one clip gets."""
    judged = judge(path, read_header(path), pipeline, profile)
    if isinstance(judged.selection, Rejected):
        return pipeline.conclude(Case([]), [])
    return pipeline.conclude(
        Case([Encoded(judged.selection.instance, *pipeline.encode([judged.look]))]), []
    )


def reason(pipeline: Pipeline, path: Path, profile: Profile) -> str:
    selection = judge(path, read_header(path), pipeline, profile).selection
    return selection.reason.value if isinstance(selection, Rejected) else ""


def made_a_cine(name: str, folder: Path, *, warps: bool = False, **attributes: Any) -> Path:
    """A real still as a clip that passes every rule of the paper."""
    top, bottom, left, right = STILLS[name]
    still = decode_frames(shared("data", "us", f"{name}.dcm"), [0])[0][top:bottom, left:right]
    rng = np.random.default_rng(1)
    frames = np.stack([_changed(still, number, warps, rng) for number in range(FRAMES)])
    rows, columns = still.shape
    header = cine(np.repeat(frames[..., None], 3, axis=-1), **attributes)
    header.FrameTime, header.RWaveTimeVector, header.HeartRate = 50, [50.0, 930.0], 68
    header.SequenceOfUltrasoundRegions = [region((0, 0, columns - 1, rows - 1))]
    return save(header, folder / "cine.dcm")


def _changed(
    still: NDArray[np.uint8], number: int, warps: bool, rng: np.random.Generator
) -> NDArray[np.uint8]:
    down, right = rng.integers(-2, 3, 2)
    picture = np.roll(still, (down, right), (0, 1)).astype(float)
    if warps:  # as a pulsating vessel or a pressing hand moves it
        rows = np.arange(len(still))
        bent = rows + 12 * np.sin(2 * np.pi * number / FRAMES) * np.sin(np.pi * rows / rows[-1])
        picture = picture[np.clip(bent.round().astype(int), 0, rows[-1])]
    noisy = picture * rng.uniform(0.95, 1.05) + rng.normal(0, 6, still.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("name", "mpap_mmhg"), [("base-jpeg", 57.65), ("base-native", 56.38)])
def test_a_heart_keeps_its_value(
    pipeline: Pipeline, profile: Profile, name: str, mpap_mmhg: float
) -> None:
    found = findings(pipeline, shared("cases", f"{name}.dcm"), profile)
    assert found.measurements[0].value == pytest.approx(mpap_mmhg, abs=0.05)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("h-frametime-us", "NO_CLOCK"), ("h-region-of-bigger-image", "BOUNDS_OFF_IMAGE")],
)
def test_an_impossible_header_gets_no_value(
    pipeline: Pipeline, profile: Profile, name: str, expected: str
) -> None:
    assert reason(pipeline, shared("cases", f"{name}.dcm"), profile) == expected


@pytest.mark.parametrize("name", STILLS)
@pytest.mark.parametrize("tags", [NO_TAGS, HEART_TAGS], ids=["no tags", "a heart's tags"])
def test_a_still_of_another_organ_made_a_cine_gets_no_value(
    pipeline: Pipeline, profile: Profile, name: str, tags: dict[str, Any], tmp_path: Path
) -> None:
    path = made_a_cine(name, tmp_path, **tags)
    assert reason(pipeline, path, profile) == "FROZEN"
    assert findings(pipeline, path, profile).measurements == ()


@pytest.mark.parametrize(
    "tags",
    [
        NO_TAGS,
        {"StudyDescription": "Thyroid"},
        {"StudyDescription": "US", "BodyPartExamined": "HEART"},
        {"StudyDescription": "Echo"},
        {"ImageType": ["DERIVED", "SECONDARY", "SMALL PARTS"], "StudyDescription": "US"},
        {"StudyDescription": "TTE", "TransducerType": "LINEAR"},
    ],
    ids=["none", "thyroid", "body part heart", "echo", "small parts", "linear"],
)
def test_a_linear_probe_s_picture_gets_no_value_even_when_it_moves(
    pipeline: Pipeline, profile: Profile, tags: dict[str, Any], tmp_path: Path
) -> None:
    path = made_a_cine("ge_logiq700_us1_rle_still", tmp_path, warps=True, **tags)
    assert reason(pipeline, path, profile) == "NOT_CARDIAC"


@pytest.mark.parametrize("name", ["philips_clearvue_pal_implicit_still"])
def test_a_convex_probe_s_picture_that_nothing_calls_a_heart_gets_no_value(
    pipeline: Pipeline, profile: Profile, name: str, tmp_path: Path
) -> None:
    path = made_a_cine(name, tmp_path, warps=True, **NO_TAGS)
    assert reason(pipeline, path, profile) in {"NOT_CARDIAC", "FROZEN"}


def test_colour_doppler_that_calls_itself_tissue_gets_no_value(
    pipeline: Pipeline, profile: Profile, tmp_path: Path
) -> None:
    header = dcmread(shared("data", "us", "godicom_toshiba_32.dcm"))
    header.RWaveTimeVector = [50.0, 1100.0]
    header.save_as(tmp_path / "colour.dcm", enforce_file_format=True)
    assert reason(pipeline, tmp_path / "colour.dcm", profile) == "COLOUR_FLOW"


def test_every_real_clip_that_was_taken_before_is_taken_still(
    pipeline: Pipeline, profile: Profile
) -> None:
    for name in ("derived_godicom_toshiba_31_rwave", "derived_sonosite_turbo_pla_120f_rwave"):
        path = shared("data", "us", f"{name}.dcm")
        judged = judge(path, read_header(path), pipeline, profile)
        assert isinstance(judged.look, Loop)

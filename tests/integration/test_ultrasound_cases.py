"""The small failing inputs of ../shared/cases give the value of their control, with a note."""

import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames

from dicom_node.work.prepare import judge
from inference.dicom.frame_bytes import ITEM_TAG
from inference.dicom.header import read_header
from inference.pipeline import Pipeline, load_pipeline
from inference.types import Case, Encoded, Selected
from inference.ultrasound.loop import Loop
from inference.ultrasound.profile import Profile
from tests.peers import shared
from tests.phantom_model import PHANTOM_BUNDLE
from tests.scp_listening import digest, listening, parts, send
from tests.unit.ultrasound_files import save

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

#: mPAP (mmHg) of the controls; decoding explains no more than the tolerance.
JPEG, NATIVE = 57.6, 56.4
TOLERANCE_MMHG = 0.2

_YBR = "Pixels are YCbCr although labelled RGB; corrected."
#: Case: the control's value, and what is said of the loop.
CASES: dict[str, tuple[float, tuple[str, ...]]] = {
    "base-jpeg": (JPEG, ()),
    "base-native": (NATIVE, ()),
    "px-native-ybr-labelled-rgb": (NATIVE, (_YBR,)),
    "px-rle-ybr-labelled-rgb": (NATIVE, (_YBR,)),
    "px-j2k-ybr-labelled-rgb": (NATIVE, (_YBR,)),
    "px-native-planar1-labelled-0": (
        NATIVE,
        ("Colours lie by plane although Planar Configuration is 0; corrected.",),
    ),
    "px-jpeg-eoi-missing": (
        JPEG,
        ("JPEG frames lack the end marker; all pixels are present.",),
    ),
    "px-jpeg-starts-with-zeros": (
        JPEG,
        ("JPEG frames begin with fill bytes, which were skipped.",),
    ),
    "px-frames-one-too-many": (JPEG, ("Number of Frames is 21, the pixel data hold 20.",)),
}


@cache
def pipeline() -> Pipeline:
    # How familiar a picture is to the bundle of the day is no matter here.
    return load_pipeline("echo_haemodynamics", PHANTOM_BUNDLE, "cpu", unfamiliar="off")


def analysed(file: Path, profile: Profile) -> tuple[float, str, Loop]:
    """mPAP in mmHg, the verdict on pulmonary hypertension, and the loop."""
    found = judge(file, read_header(file), pipeline(), profile)
    assert isinstance(found.selection, Selected), found.selection
    [features] = pipeline().encode([found.look])
    findings = pipeline().conclude(Case([Encoded(found.selection.instance, features)]), ())
    mpap = next(each.value for each in findings.measurements if each.name == "mPAP")
    return mpap, findings.assessments[0].presence, found.look


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("case", CASES)
def test_a_case_gives_the_value_of_its_control(case: str, profile: Profile) -> None:
    expected_mmhg, notes = CASES[case]
    mpap_mmhg, verdict, loop = analysed(shared("cases", f"{case}.dcm"), profile)
    assert mpap_mmhg == pytest.approx(expected_mmhg, abs=TOLERANCE_MMHG)
    assert verdict == "present"
    assert loop.notes[len(loop.notes) - len(notes) :] == notes
    assert len(loop.notes) == len(notes) + (2 if profile is Profile.VENDOR_NEUTRAL else 0)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("dimmed", [1, 3])
def test_a_wrong_planar_configuration_changes_no_value(
    dimmed: int, planar: int, profile: Profile, tmp_path: Path
) -> None:
    header = dcmread(shared("cases", "base-native.dcm"))
    pictures = (header.pixel_array // dimmed).astype(np.uint8)
    header.PixelData = pictures.tobytes()
    right, _, _ = analysed(save(header, tmp_path / "right"), profile)
    header.PixelData = (np.moveaxis(pictures, -1, 1) if planar else pictures).tobytes()
    header.PlanarConfiguration = 1 - planar
    wrong, _, loop = analysed(save(header, tmp_path / "wrong"), profile)
    assert wrong == right
    assert "Planar Configuration" in loop.notes[-1]


def test_a_decimal_comma_in_frame_time_changes_no_value(tmp_path: Path) -> None:
    content = shared("cases", "base-jpeg.dcm").read_bytes()
    changed = tmp_path / "comma"
    changed.write_bytes(
        content.replace(b"\x18\x00\x63\x10DS\x04\x0050.0", b"\x18\x00\x63\x10DS\x04\x0050,0")
    )
    for profile in Profile:
        mpap_mmhg, _, loop = analysed(changed, profile)
        assert mpap_mmhg == pytest.approx(JPEG, abs=TOLERANCE_MMHG)
        assert loop.notes[-1] == "Frame Time: a decimal comma was read as a point."


def odd_items(file: Path, changed: Path) -> Path:
    """The same JPEG clip in items of odd length, the pad byte of each outside of it."""
    content = file.read_bytes()
    start = content.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12
    frames = generate_frames(dcmread(file).PixelData, number_of_frames=20)
    odd = [frame if len(frame) % 2 else frame + b"\0" for frame in frames]
    items = [ITEM_TAG + struct.pack("<I", len(frame)) + frame + b"\0" for frame in odd]
    value = ITEM_TAG + bytes(4) + b"".join(items) + b"\xfe\xff\xdd\xe0" + bytes(4)
    changed.write_bytes(content[:start] + value)
    return changed


def test_every_case_is_kept_as_it_was_sent_and_analysed_from_the_spool(tmp_path: Path) -> None:
    files = [shared("cases", f"{case}.dcm") for case in CASES if case.startswith("px-")]
    files.append(odd_items(shared("cases", "base-jpeg.dcm"), tmp_path / "odd.dcm"))
    for number, file in enumerate(files):  # some have one UID
        content = parts(file)
        with listening(tmp_path / str(number)) as node:
            assert send(node.port, content) == [0]
            [kept] = [
                each for each in node.spool_files() if digest(parts(each)[3]) == digest(content[3])
            ]
            mpap_mmhg, verdict, _ = analysed(kept, Profile.PAPER)
        assert mpap_mmhg == pytest.approx(57, abs=0.9)
        assert verdict == "present"


def test_an_upload_of_odd_items_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    whole = parts(odd_items(shared("cases", "base-jpeg.dcm"), tmp_path / "odd.dcm"))
    with listening(tmp_path / "node") as node:
        assert send(node.port, (*whole[:3], whole[3][:-3000])) == [0xC000]

"""Every real clip under both profiles: what a person saw in it is what it is taken or left for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dicom_node.work.prepare import Judged, judge
from inference.bundle.untrained import make_untrained
from inference.dicom.header import read_header
from inference.pipeline import Pipeline, load_pipeline
from inference.population import AGE_UNKNOWN
from inference.types import Rejected, Selected
from inference.ultrasound.clock import read_clock
from inference.ultrasound.decoding import colour_frames
from inference.ultrasound.ecg_trace import r_wave_frames
from inference.ultrasound.inspection import inspect
from inference.ultrasound.loop import Loop
from inference.ultrasound.preprocessing import crop
from inference.ultrasound.profile import Profile
from inference.ultrasound.regions import Bounds
from inference.ultrasound.selection import select
from tests.peers import SHARED, shared

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@dataclass(frozen=True, slots=True)
class Left:
    """A clip that is left out."""

    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A clip that is analysed: what told its heartbeat, how long it is, and what told the time."""

    heartbeat: str
    clock: str
    beat_ms: tuple[float, float] | None = None


_RWAVES, _RATE, _FRAME_TIME = "by R Wave Time Vector", "by Heart Rate", "Frame Time"

#: What each clip shows, as looked at, and the verdict of `vendor-neutral` that follows from it.
NEUTRAL: Mapping[str, Left | Taken] = {
    # A colour box in a still, from the oesophagus.
    "acme_esopecho_still": Left("TRANSOESOPHAGEAL"),
    # B-mode, short axis, after exercise; not a single region says where.
    "acme_execho_8f_j2k": Left("STRESS"),
    # Parasternal colour Doppler with an ECG; no regions either.
    "acme_pal_echo_10f_jpegls": Left("NO_TISSUE_REGION"),
    "acme_pal_echo_10f_rle": Left("NO_TISSUE_REGION"),
    # Dark B-mode after exercise. Patient's Age says "000D" of a woman of 51 years.
    "agilent_echo_10f": Left("STRESS"),
    "derived_godicom_toshiba_31_rwave": Taken(_RWAVES, _FRAME_TIME, (1081, 1082)),
    # Mosaic flow through the mitral valve; the header says tissue.
    "derived_philips_affiniti70_echo_5f": Left("COLOUR_FLOW"),
    "derived_sonosite_turbo_pla_120f_rwave": Taken(_RWAVES, _FRAME_TIME, (1081, 1082)),
    # Power Doppler of a lymph node.
    "ge_logiq700_us1_rle_still": Left("NOT_CARDIAC"),
    # A colour box over the tricuspid valve, and a colour region.
    "ge_vivid7_cfm_19f": Left("COLOUR_FLOW"),
    "ge_vivid_e95_mmode_still": Left("NOT_2D"),
    # One systole of a stress echo, 0.4 s long, first at rest and then under dobutamine.
    **{f"godicom_acuson_{number:02}": Left("SHORT_CLIP") for number in range(7, 13)},
    **{f"godicom_acuson_{number:02}": Left("STRESS") for number in range(13, 19)},
    # A child of two years; the last clip has a large colour box as well.
    **{f"godicom_hp_{number:02}": Left("UNDER_18") for number in (1, 2, 3)},
    # The ECG sweeps through the tissue region itself, and no region says where.
    "godicom_toshiba_31": Taken(_RATE, _FRAME_TIME, (1071, 1072)),
    # A thin jet of regurgitation; region and data type say tissue.
    "godicom_toshiba_32": Left("COLOUR_FLOW"),
    "godicom_toshiba_34": Left("NOT_2D"),
    # A uterus.
    "philips_clearvue_pal_implicit_still": Left("NOT_CARDIAC"),
    # Two frames of a foetus at most.
    "philips_cx50_ob_2f_pal_rle": Left("NOT_CARDIAC"),
    # The picture was halved, its region was not.
    "sonosite_turbo_pla_30f_downsized": Left("BOUNDS_OFF_IMAGE"),
}
#: The two that the paper takes; its verdicts on all of them stand in the index of the files.
PAPER = {"derived_godicom_toshiba_31_rwave", "derived_sonosite_turbo_pla_120f_rwave"}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    bundle = tmp_path_factory.mktemp("bundles") / "untrained"
    make_untrained(bundle, architecture="resnet10_narrow")
    return load_pipeline("echo_haemodynamics", bundle, "cpu")


def judged(pipeline: Pipeline, name: str, profile: Profile) -> Judged:
    path = shared("data", "us", f"{name}.dcm")
    return judge(path, read_header(path), pipeline, profile)


def test_the_table_holds_every_clip() -> None:
    shared("data", "us")
    assert {path.stem for path in (SHARED / "data" / "us").glob("*.dcm")} == NEUTRAL.keys()


@pytest.mark.parametrize("name", NEUTRAL)
def test_the_vendor_neutral_verdict_is_what_a_person_saw(pipeline: Pipeline, name: str) -> None:
    found, expected = judged(pipeline, name, Profile.VENDOR_NEUTRAL), NEUTRAL[name]
    if isinstance(expected, Left):
        assert isinstance(found.selection, Rejected)
        assert found.selection.reason.value == expected.reason
        assert found.look is None
        return
    assert isinstance(found.look, Loop), found.selection
    profile, beat = found.look.notes[:2]
    assert profile.startswith("Selected by the profile vendor-neutral: ")
    assert expected.heartbeat in beat
    assert beat.endswith(f"frame times by {expected.clock}.")
    if expected.beat_ms is not None:
        low, high = expected.beat_ms
        assert low <= float(beat.split(" ms ")[0].split()[-1]) <= high


@pytest.mark.parametrize(
    "name", [name for name, said in NEUTRAL.items() if said in {Left("UNDER_18"), Left("STRESS")}]
)
def test_what_no_model_of_resting_adults_may_judge_both_profiles_leave(
    pipeline: Pipeline, name: str
) -> None:
    reasons = {judged(pipeline, name, profile).selection.reason.value for profile in Profile}
    assert Left(reasons.pop()) == NEUTRAL[name]
    assert not reasons


@pytest.mark.parametrize("name", NEUTRAL)
def test_the_paper_takes_what_it_always_took(pipeline: Pipeline, name: str) -> None:
    found = judged(pipeline, name, Profile.PAPER)
    assert isinstance(found.selection, Selected) == (name in PAPER)
    if name in PAPER:
        assert found.look.notes == (AGE_UNKNOWN,)
        assert found.look.frame_numbers == (2, 6, 9, 12, 15, 19, 22, 25, 28, 32)


@pytest.mark.parametrize(
    ("name", "strip"),
    [
        # A marker on the whole trace; a small tick on it; a bar that sweeps over the old one.
        ("godicom_hp_01", Bounds(40, 374, 257, 406)),
        ("godicom_hp_03", Bounds(40, 374, 283, 406)),
        ("ge_vivid7_cfm_19f", Bounds(10, 360, 150, 433)),
        ("godicom_toshiba_31", Bounds(78, 440, 724, 508)),
    ],
)
def test_the_ecg_of_each_maker_is_read_at_the_heart_rate_that_the_header_states(
    name: str, strip: Bounds
) -> None:
    path: Path = shared("data", "us", f"{name}.dcm")
    header = read_header(path)
    clock = read_clock(header)
    assert clock is not None
    frames = np.unique(np.linspace(0, len(clock.times_ms) - 1, 9).round().astype(int)).tolist()
    waves = r_wave_frames(crop(colour_frames(path, frames), strip), frames)
    assert len(waves) >= 2
    beat_ms = (waves[1] - waves[0]) * clock.times_ms[1]
    assert beat_ms == pytest.approx(60_000 / int(header.HeartRate), rel=0.05)


@pytest.mark.parametrize(
    ("name", "r_waves"), [("godicom_hp_01", (0.5, 16.7)), ("godicom_hp_02", (0, 16.5))]
)
def test_the_beat_on_the_strip_lies_where_the_marker_stands_on_its_peaks(
    name: str, r_waves: tuple[float, float]
) -> None:
    path: Path = shared("data", "us", f"{name}.dcm")
    header = read_header(path)
    header.PatientAge = "052Y"  # else a child
    selection = select(header, Profile.VENDOR_NEUTRAL)
    assert isinstance(selection, Selected)
    first, second = r_waves
    expected = [first + k * (second - first) / 10 for k in range(10)]
    taken = inspect(path, selection.plan).frames
    assert max(abs(frame - wanted) for frame, wanted in zip(taken, expected, strict=True)) <= 1.2

"""Which attribute tells when the frames of a clip were taken."""

from typing import Any

import pytest

from inference.ultrasound.clock import Clock, read_clock
from tests.unit.ultrasound_files import FRAMES, cine


def clock(**attributes: Any) -> Clock:
    found = read_clock(cine(**attributes))
    assert found is not None
    return found


def even(frame_ms: float) -> list[float]:
    return [k * frame_ms for k in range(FRAMES)]


def test_a_frame_time_vector_is_trusted_most() -> None:
    vector = [0.0, 40.0, 20.0, 20.0, 40.0, 20.0]
    found = clock(FrameTimeVector=vector, CineRate=30)
    assert found == Clock((0.0, 40.0, 60.0, 80.0, 120.0, 140.0), "Frame Time Vector")


def test_some_write_an_increment_before_the_first_frame() -> None:
    assert clock(FrameTimeVector=[40.0] * FRAMES).times_ms == pytest.approx(even(40))


@pytest.mark.parametrize(
    "vector",
    [
        FRAMES,
        [0.0, 40.0, 80.0, 120.0, 160.0, 200.0],
        [40.0, 40.0],
        [0.0, 40.0, -40.0, 40.0, 40.0, 40.0],
        [0.0, 400.0, 400.0, 400.0, 400.0, 400.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ],
    ids=["a count", "times", "too short", "backwards", "too slow", "nothing"],
)
def test_a_vector_of_anything_else_than_increments_does_not_count(vector: Any) -> None:
    found = clock(FrameTimeVector=vector)
    assert found.source == "Frame Time"
    assert found.times_ms == pytest.approx(even(100))


@pytest.mark.parametrize(
    ("attributes", "source", "frame_ms"),
    [
        ({"FrameTime": "33.333", "CineRate": 15}, "Frame Time", 33.333),
        ({"FrameTime": "0", "CineRate": 25}, "Cine Rate", 40),
        ({"FrameTime": "6000", "CineRate": 25}, "Cine Rate", 40),
        ({"FrameTime": None, "CineRate": 25}, "Cine Rate", 40),
        ({"FrameTime": "50000", "ActualFrameDuration": 50}, "Actual Frame Duration", 50),
        ({"FrameTime": "50000", "EffectiveDuration": 0.3}, "Effective Duration", 50),
        ({"FrameTime": "50000", "AcquisitionDuration": 0.3}, "Acquisition Duration", 50),
        (
            {"FrameTime": None, "CineRate": 900, "RecommendedDisplayFrameRate": 50},
            "Recommended Display Frame Rate",
            20,
        ),
    ],
)
def test_the_next_plausible_one_counts(
    attributes: dict[str, Any], source: str, frame_ms: float
) -> None:
    found = clock(**attributes)
    assert found.source == source
    assert found.times_ms == pytest.approx(even(frame_ms))


def test_frame_delay_does_not_enter_since_r_waves_are_timed_from_the_first_frame() -> None:
    assert clock(FrameDelay="-2362").times_ms[:3] == (0.0, 100.0, 200.0)


def test_what_the_increment_pointer_names_goes_first() -> None:
    vector = [0.0, 10.0, 30.0, 20.0, 40.0, 50.0]
    assert clock(FrameTimeVector=vector).source == "Frame Time Vector"
    by_vector = clock(FrameTimeVector=vector, FrameIncrementPointer=0x00181065)
    assert by_vector.times_ms == (0.0, 10.0, 40.0, 60.0, 100.0, 150.0)
    by_time = clock(FrameTimeVector=vector, FrameIncrementPointer=0x00181063)
    assert by_time.source == "Frame Time"


@pytest.mark.parametrize("frame_time", [None, "0", "-33", "1000", "1"])
def test_without_a_plausible_one_there_is_no_clock(frame_time: str | None) -> None:
    assert read_clock(cine(FrameTime=frame_time)) is None


def test_a_claim_of_a_billion_frames_is_not_believed() -> None:
    assert read_clock(cine(NumberOfFrames=10**9)) is None

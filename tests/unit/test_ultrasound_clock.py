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


@pytest.mark.parametrize("frame_time", [None, "0", "-33", "1000", "1"])
def test_without_a_plausible_one_there_is_no_clock(frame_time: str | None) -> None:
    assert read_clock(cine(FrameTime=frame_time)) is None


def test_a_claim_of_a_billion_frames_is_not_believed() -> None:
    assert read_clock(cine(NumberOfFrames=10**9)) is None

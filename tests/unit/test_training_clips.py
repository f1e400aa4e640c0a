"""The frames of whole loops on disk: any one is read alone, exactly, or not at all."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.errors import TrainingDataError
from inference.training.cohort.clips import Clips, ClipWriter, compress
from inference.training.output import whole_file

SIZE = 16


def speckle(frames: int, seed: int = 0, size: int = SIZE) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (frames, size, size), np.uint8)


def written(path: Path, *loops: NDArray[np.uint8]) -> Clips:
    with whole_file(path) as out:
        writer = ClipWriter(out)
        for loop in loops:
            writer.add(compress(loop))
        writer.finish()
    return Clips(path, writer.counts, loops[0].shape[-1])


def test_every_frame_of_every_loop_comes_back_as_it_was(tmp_path: Path) -> None:
    loops = [speckle(frames, seed) for seed, frames in enumerate((7, 1, 30))]
    clips = written(tmp_path / "exam.clips", *loops)
    assert clips.counts == (7, 1, 30)
    for number, loop in enumerate(loops):
        assert np.array_equal(clips.read(number, range(len(loop))), loop)
    assert np.array_equal(clips.read(2, [29, 0, 29]), loops[2][[29, 0, 29]])


@pytest.mark.parametrize("kept", [0, 40, -1])
def test_a_file_that_was_cut_short_or_changed_is_refused_with_what_to_do(
    tmp_path: Path, kept: int
) -> None:
    path = tmp_path / "exam.clips"
    written(path, speckle(3))
    content = path.read_bytes()
    path.write_bytes(content[:kept] if kept >= 0 else bytes(100) + content[100:])
    with pytest.raises(TrainingDataError, match="echonode cohort cache"):
        Clips(path, [3], SIZE).read(0, [0])


def test_a_file_that_is_gone_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="echonode cohort cache"):
        Clips(tmp_path / "exam.clips", [3], SIZE).read(0, [0])


def test_a_picture_takes_less_than_its_pixels_and_noise_hardly_more(tmp_path: Path) -> None:
    rows = np.arange(64)[:, None] + np.arange(64)
    smooth = np.broadcast_to(rows.astype(np.uint8), (4, 64, 64))
    assert sum(map(len, compress(smooth))) < 0.1 * smooth.size
    assert sum(map(len, compress(speckle(4, size=64)))) < 1.01 * smooth.size

"""One study folder: the exam's loops, and decoys among them, as DICOM files."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.phantom.cine import Loop
from inference.phantom.decoys import DECOYS, DecoyKind
from inference.phantom.exams import Exam
from inference.phantom.scanners import Scanner, Screen
from inference.phantom.sizes import Size
from inference.phantom.writing import Encoding, Instance, Region, StudyTags, sop_instance_uid, write

_DECOY_FRAMES = 12


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a study: a loop as it is, or made into a decoy."""

    number: int
    loop: Loop
    decoy: DecoyKind | None
    encoding: Encoding

    @property
    def file(self) -> str:
        """Name of the file inside the study's folder; it tells nothing of what is in it."""
        return f"{self.number:04}.dcm"

    def sop_instance_uid(self, study: StudyTags) -> str:
        """The UID that the file carries."""
        return sop_instance_uid(study, self.number)


def pieces_of(exam: Exam, decoys: Sequence[DecoyKind], raw: int = 0) -> list[Piece]:
    """The files of an exam: its loops, the last `raw` of them uncompressed, then its decoys."""
    loops = len(exam.loops)
    pieces = [
        Piece(number, loop, None, Encoding.RAW if number > loops - raw else Encoding.JPEG)
        for number, loop in enumerate(exam.loops, start=1)
    ]
    for number, kind in enumerate(decoys, start=loops + 1):
        pieces.append(Piece(number, exam.loops[number % loops], kind, Encoding.JPEG))
    return pieces


def write_pieces(
    folder: Path, study: StudyTags, pieces: Sequence[Piece], scanner: Scanner, size: Size
) -> list[Path]:
    """Write all files of a study into an existing folder."""
    return [_write_piece(folder / piece.file, study, piece, scanner, size) for piece in pieces]


def _write_piece(path: Path, study: StudyTags, piece: Piece, scanner: Scanner, size: Size) -> Path:
    loop = piece.loop
    imaging = scanner.image(loop, size)
    mean_ms = 60_000 / loop.heart.heart_rate_bpm
    # Two R waves at least, and a little more, also where the rhythm is irregular.
    duration_ms = max(size.beats * mean_ms, loop.rhythm.r_waves_ms[2] + 0.15 * mean_ms)
    step_ms = size.frame_time_ms if piece.decoy is None else duration_ms / _DECOY_FRAMES
    times = [number * step_ms for number in range(math.ceil(duration_ms / step_ms))]
    waves = loop.rhythm.inside(times[-1])
    screen = scanner.show(loop, imaging, size, times[-1], waves)
    instance = Instance(
        number=piece.number,
        regions=(Region(screen.region, (imaging.pixel_cm, imaging.pixel_cm)),),
        heart_rate_bpm=loop.heart.heart_rate_bpm,
        frame_time_ms=step_ms,
        r_waves_ms=waves,
        maker=scanner.maker,
        model=scanner.model,
        encoding=piece.encoding,
    )
    if piece.decoy is None:
        return write(path, study, instance, _shown(screen, times, imaging.frames(times)))
    decoy = DECOYS[piece.decoy]
    rng = np.random.default_rng([*loop.seed, piece.number])
    seen_anew = replace(loop, seed=(*loop.seed, piece.number))
    sectors = decoy.picture(list(scanner.image(seen_anew, size).frames(times)), rng)
    return write(path, study, decoy.header(instance), _shown(screen, times, sectors))


def _shown(
    screen: Screen, times: Sequence[float], sectors: Iterator[NDArray[np.uint8]]
) -> Iterator[NDArray[np.uint8]]:
    # A still has one sector and many times.
    for time_ms, sector in zip(times, sectors, strict=False):
        yield screen.show(sector, time_ms)

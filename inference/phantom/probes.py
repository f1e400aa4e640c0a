"""Probes of familiarity: exams that a model must find unlike its training loops, or not.

A probe is made from exams that the model may know, changed in one way, or from nothing. All are
frames as the encoder sees them, uint8 (loops, frames, size, size): they test the feature space, not
the rules that keep most such objects from it. The same seed gives the same probes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from inference.phantom import textures
from inference.phantom.cine import Loop
from inference.phantom.decoys import DECOYS, DecoyKind
from inference.phantom.exams import draw_exam
from inference.phantom.presets import preset_named
from inference.phantom.scanners import FOREIGN, PHANTOM, Scanner
from inference.phantom.writing import JPEG_QUALITY
from inference.ultrasound.preprocessing import resize, to_square

Pixels = NDArray[np.uint8]

FRAMES = 10
#: Exams of a probe, and loops of an exam that is made from nothing.
EXAMS, LOOPS = 12, 4
#: The height of the scanner's picture before it is brought to the encoder's size.
_SCANNED_AS = "small"


@dataclass(frozen=True, slots=True)
class Probe:
    """Exams of one kind; `exams` are uint8 (loops, frames, size, size) each."""

    group: str
    name: str
    exams: tuple[Pixels, ...]


def changed(known: Sequence[Pixels], seed: int) -> Iterator[Probe]:
    """Known exams, each uint8 (loops, frames, size, size), changed in one way."""
    for (group, name), change in _CHANGES.items():
        yield Probe(
            group,
            name,
            tuple(
                np.stack([change(loop, _rng(seed, name, number)) for loop in exam])
                for number, exam in enumerate(known)
            ),
        )


def invented(size: int, seed: int, exams: int = EXAMS) -> Iterator[Probe]:
    """Exams from nothing: noise, natural textures and other organs at the encoder's size."""
    makers: dict[tuple[str, str], textures.Maker] = {
        ("noise", "every pixel by chance"): textures.noise
    }
    makers |= {("natural textures", name): make for name, make in textures.NATURAL.items()}
    makers |= {("other organs", name): make for name, make in textures.ORGANS.items()}
    for (group, name), make in makers.items():
        rngs = [_rng(seed, name, number) for number in range(exams)]
        made = (np.stack([make(rng, FRAMES, size) for _ in range(LOOPS)]) for rng in rngs)
        yield Probe(group, name, tuple(made))


def scanned(size: int, seed: int, exams: int = EXAMS) -> Iterator[Probe]:
    """Synthetic hearts: the phantom's presets, and those of the foreign scanner."""
    for scanner, preset in (
        (PHANTOM, "easy"),
        (PHANTOM, "realistic"),
        (PHANTOM, "hard"),
        (FOREIGN, "easy"),
    ):
        group = "phantom presets" if scanner is PHANTOM else "foreign scanner"
        yield Probe(group, preset, tuple(_scanned(scanner, preset, size, seed, exams)))


def _scanned(scanner: Scanner, preset: str, size: int, seed: int, exams: int) -> Iterator[Pixels]:
    for number in range(1, exams + 1):
        exam = draw_exam(preset_named(preset), seed, patient=number, exam=number, scanner=scanner)
        yield np.stack([_first_beat(scanner, loop, size) for loop in exam.loops[:LOOPS]])


def _first_beat(scanner: Scanner, loop: Loop, size: int) -> Pixels:
    """One heartbeat as a study's files and the preprocessing bring it to the encoder."""
    start, end = loop.rhythm.r_waves_ms[1:3]
    times = [start + (end - start) * number / FRAMES for number in range(FRAMES)]
    pictures = scanner.image(loop, scanner.size_named(_SCANNED_AS)).frames(times)
    region = np.stack([_compressed(picture) for picture in pictures])
    return np.rint(resize(to_square(region), size) * 255).astype(np.uint8)


def _compressed(picture: Pixels) -> Pixels:
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(picture[..., None]), JPEG_QUALITY, "GRAY")
    return np.asarray(simplejpeg.decode_jpeg(jpeg, "GRAY")[..., 0])


def _mirrored(loop: Pixels, _rng: np.random.Generator) -> Pixels:
    return loop[:, :, ::-1]


def _upside_down(loop: Pixels, _rng: np.random.Generator) -> Pixels:
    return loop[:, ::-1]


def _turned(loop: Pixels, _rng: np.random.Generator) -> Pixels:
    return np.rot90(loop, axes=(1, 2))


def _inverted(loop: Pixels, _rng: np.random.Generator) -> Pixels:
    """Black blood becomes white, inside the sector alone."""
    return np.where(_sector(loop), 255 - loop, 0).astype(np.uint8)


def _frozen(loop: Pixels, _rng: np.random.Generator) -> Pixels:
    return np.repeat(loop[:1], len(loop), axis=0)


def _noise_in_sector(loop: Pixels, rng: np.random.Generator) -> Pixels:
    """The loop's own grey levels, in its sector, at places drawn by chance."""
    inside = _sector(loop)
    mixed = np.zeros_like(loop)
    for frame, source in zip(mixed, loop, strict=True):
        frame[inside] = rng.permutation(source[inside])
    return mixed


def _in_air(loop: Pixels, rng: np.random.Generator) -> Pixels:
    """A probe that touches nothing: bands of reverberation near it, noise below."""
    depth = np.arange(loop.shape[1])[:, None] / loop.shape[1]
    bands = 180 * np.exp(-depth / 0.12) * (0.6 + 0.4 * np.cos(2 * np.pi * depth / 0.045))
    grey = bands + 14 * rng.standard_exponential(loop.shape)
    return np.where(_sector(loop), np.clip(grey, 0, 255), 0).astype(np.uint8)


def _as_decoy(kind: DecoyKind) -> "Change":
    """The picture of an object that a selection rule keeps from the model, in grey."""

    def change(loop: Pixels, rng: np.random.Generator) -> Pixels:
        pictures = DECOYS[kind].picture(list(loop), rng)
        return np.stack([np.asarray(Image.fromarray(each).convert("L")) for each in pictures])

    return change


def _sector(loop: Pixels) -> NDArray[np.bool_]:
    """Where the loop shows anything in any frame, (size, size)."""
    inside: NDArray[np.bool_] = loop.max(axis=0) > 0
    return inside


def _rng(seed: int, name: str, number: int) -> np.random.Generator:
    """A stream for each exam of each probe, so that no probe shifts another."""
    return np.random.default_rng([seed, number, *name.encode()])


Change = Callable[[Pixels, np.random.Generator], Pixels]

#: Group and name of a probe -> how a loop (frames, size, size) becomes it.
_CHANGES: Mapping[tuple[str, str], Change] = {
    ("turned loops", "mirrored"): _mirrored,
    ("turned loops", "upside down"): _upside_down,
    ("turned loops", "by a quarter"): _turned,
    ("other grey", "contrast inverted"): _inverted,
    ("other grey", "frozen"): _frozen,
    ("noise", "grey levels of a loop mixed in its sector"): _noise_in_sector,
    ("noise", "probe in air"): _in_air,
    ("colour", "colour overlay in grey"): _as_decoy(DecoyKind.COLOUR),
    ("traces", "M-mode"): _as_decoy(DecoyKind.M_MODE),
    ("traces", "spectral Doppler"): _as_decoy(DecoyKind.PW),
}

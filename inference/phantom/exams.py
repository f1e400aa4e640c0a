"""One exam: a patient's haemodynamics, the heart that goes with them, and the loops taken of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.phantom import anatomy, haemodynamics, rhythm
from inference.phantom.anatomy import Anatomy
from inference.phantom.cine import Loop, frames
from inference.phantom.haemodynamics import Catheterisation, Haemodynamics
from inference.phantom.patient import draw_patient
from inference.phantom.presets import PRESETS, Preset, preset_named
from inference.phantom.scan import Sector
from inference.phantom.scanners import PHANTOM, Scanner
from inference.phantom.speckle import Quality
from inference.phantom.views import View

#: Random streams of one seed beside that of the patients, so that no draw shifts another.
_EXAM, _LOOP = 3, 4
#: An in-memory loop is sampled at this many points along and across the beams, per pixel.
_SAMPLES_PER_PIXEL, _BEAMS_PER_PIXEL = 1.6, 0.9


@dataclass(frozen=True, slots=True)
class Exam:
    """Everything about one exam but its pixels."""

    truth: Haemodynamics
    catheter: Catheterisation
    heart: Anatomy
    loops: tuple[Loop, ...]


@dataclass(frozen=True, slots=True)
class ExamArrays:
    """An exam for training, in memory.

    `pixels` is uint8 (loops, frames, size, size): the first heartbeat, the sector's middle square
    as the preprocessing crops it.
    """

    exam: Exam
    pixels: NDArray[np.uint8]

    @property
    def labels(self) -> Catheterisation:
        """What the catheter measured."""
        return self.exam.catheter

    @property
    def views(self) -> list[View]:
        """The view of each loop."""
        return [loop.view for loop in self.exam.loops]

    @property
    def qualities(self) -> list[Quality]:
        """The quality of each loop."""
        return [loop.quality for loop in self.exam.loops]


def draw_exam(
    preset: Preset,
    seed: int,
    *,
    patient: int,
    exam: int,
    return_visit: int = 0,
    scanner: Scanner = PHANTOM,
) -> Exam:
    """Draw one exam of a cohort; a patient's later exams follow from the earlier ones."""
    drawn = draw_patient(seed, patient, return_visit)
    truth = drawn.truth
    rng = np.random.default_rng([seed, exam, _EXAM])
    heart = scanner.draw_heart(truth, rng, preset.anatomy_spread, drawn.body)
    catheter = haemodynamics.measure(truth, preset.label_noise_mmhg, rng)
    views = _draw_views(scanner, int(np.clip(rng.normal(8, 2.2), 4, 13)), rng)
    return Exam(truth, catheter, heart, _loops(scanner, views, heart, preset, seed, exam, rng))


def exam_at(mpap_mmhg: float, pawp_mmhg: float = 10.0, *, seed: int = 0, loops: int = 6) -> Exam:
    """A typical exam at chosen pressures: easy preset, little spread, the catheter agrees.

    Raises:
        ValueError: the pressures are impossible, or there is no loop.
    """
    return exam_of(haemodynamics.expected(mpap_mmhg, pawp_mmhg), seed=seed, loops=loops)


def exam_of(truth: Haemodynamics, *, seed: int, loops: int, scanner: Scanner = PHANTOM) -> Exam:
    """A typical exam of chosen haemodynamics; the first four loops show the informative views.

    Raises:
        ValueError: there is no loop.
    """
    if loops < 1:
        raise ValueError("an exam needs at least one loop")
    preset = replace(PRESETS["easy"], qualities=(0.6, 0.3, 0.1))
    rng = np.random.default_rng([seed, 0, _EXAM])
    heart = scanner.draw_heart(truth, rng, 0.3, None)
    catheter = haemodynamics.measure(truth, 0.0, rng)
    order = list(scanner.shares)
    views = [order[number % len(order)] for number in range(loops)]
    return Exam(truth, catheter, heart, _loops(scanner, views, heart, preset, seed, 0, rng))


def make_exam(
    seed: int, preset: str = "easy", *, size_px: int = 64, frames_per_loop: int = 10
) -> ExamArrays:
    """Draw and image one exam in memory; another seed is another patient.

    Raises:
        ValueError: there is no preset of this name.
    """
    return image_exam(
        draw_exam(preset_named(preset), seed, patient=1, exam=1),
        size_px=size_px,
        frames_per_loop=frames_per_loop,
    )


def image_exam(exam: Exam, *, size_px: int = 64, frames_per_loop: int = 10) -> ExamArrays:
    """Image the first heartbeat of every loop, frames spread evenly from R wave to R wave."""
    pixels = np.stack([_first_beat(loop, size_px, frames_per_loop) for loop in exam.loops])
    return ExamArrays(exam, pixels)


def _first_beat(loop: Loop, size_px: int, count: int) -> NDArray[np.uint8]:
    start, end = loop.rhythm.r_waves_ms[1:3]
    times = [start + (end - start) * number / count for number in range(count)]
    sector = Sector(
        loop.probe.depth_cm,
        loop.probe.angle_rad,
        samples=round(_SAMPLES_PER_PIXEL * size_px),
        beams=round(_BEAMS_PER_PIXEL * size_px),
        height=size_px,
        width=size_px,
    )
    return np.stack(list(frames(loop, sector, times)))


def _draw_views(scanner: Scanner, count: int, rng: np.random.Generator) -> list[View]:
    """Views in random order; nine exams in ten hold a four-chamber view."""
    choices, shares = list(scanner.shares), list(scanner.shares.values())
    views = [choices[int(k)] for k in rng.choice(len(choices), count, p=shares)]
    if View.A4C not in views and rng.random() < 0.9:
        views[0] = View.A4C
    return views


def _loops(
    scanner: Scanner,
    views: Sequence[View],
    heart: Anatomy,
    preset: Preset,
    seed: int,
    exam: int,
    rng: np.random.Generator,
) -> tuple[Loop, ...]:
    irregular = bool(rng.random() < preset.irregular)
    qualities = list(Quality)
    loops = []
    for number, view in enumerate(views, start=1):
        own = np.random.default_rng([seed, exam, number, _LOOP])
        beat = rhythm.draw(
            own,
            heart_rate_bpm=heart.heart_rate_bpm,
            irregular=irregular,
            respiration_period_s=preset.respiration_period_s,
            beats=3,
        )
        loop = Loop(
            view=view,
            quality=qualities[int(own.choice(3, p=preset.qualities))],
            heart=anatomy.seen_off_axis(heart, own, preset.off_axis),
            probe=scanner.draw_probe(view, preset, own),
            rhythm=beat,
            gain_db=preset.gain_db,
            seed=(seed, exam, number),
        )
        loops.append(loop)
    return tuple(loops)

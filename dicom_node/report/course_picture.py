"""The estimates of a patient's studies over time: a picture as large as the summary."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dicom_node.report import comparison, wording
from dicom_node.report.canvas import (
    AMBER,
    BACKGROUND,
    BRIGHT,
    DIM,
    GREEN,
    HEIGHT,
    LINE,
    MARGIN,
    PANEL,
    RED,
    WIDTH,
    Canvas,
)
from dicom_node.report.picture import draw_heading
from inference.types import Course, Findings, Measurement, Point, StudyRef, Track

_TOP, _BOTTOM, _GAP = 222, HEIGHT - 110, 12
_LEFT, _RIGHT, _WORDS = 400, WIDTH - MARGIN - 50, 300
#: Estimates of one quantity that are drawn with their values; more would overlap.
_MOST_VALUES = 10
_MOST_YEARS = 12
#: Size of the numbers beside a scale.
_LETTERS = 15


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where days lie between the first and the last that are drawn."""

    first: int
    last: int

    def x(self, days: int) -> int:
        """The place of a day, in pixels from the left."""
        share = (days - self.first) / max(1, self.last - self.first)
        return round(_LEFT + share * (_RIGHT - _LEFT))


@dataclass(frozen=True, slots=True)
class _Scale:
    """What a height in a panel means, in the unit of its quantity."""

    low: float
    high: float
    top: int
    bottom: int

    def y(self, value: float) -> int:
        """The height of a value, in pixels from above."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.bottom - share * (self.bottom - self.top))


def course_picture(findings: Findings, course: Course) -> NDArray[np.uint8]:
    """RGB, shape (HEIGHT, WIDTH, 3)."""
    image = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    canvas = Canvas(ImageDraw.Draw(image))
    draw_heading(canvas, findings)
    canvas.text(MARGIN, 184, "The patient's studies over time", 22, BRIGHT)
    axis = _Axis(min(_all_days(course)), _days(course.study.at))
    height = (_BOTTOM - _TOP) // len(course.tracks)
    for index, track in enumerate(course.tracks):
        top = _TOP + index * height
        _draw_words(canvas, top, top + height - _GAP, track)
        _draw_track(canvas, top + 26, top + height - _GAP - 14, track, axis, course.study)
    _draw_years(canvas, axis)
    canvas.text(MARGIN, HEIGHT - 76, _legend(findings, course), 17, DIM)
    return np.asarray(image, dtype=np.uint8)


def _draw_words(canvas: Canvas, top: int, bottom: int, track: Track) -> None:
    """Name, present value and change, to the left in the panel of a quantity."""
    present = track.present
    canvas.box((MARGIN, top, WIDTH - MARGIN, bottom), PANEL, radius=12)
    canvas.fitted((MARGIN + 16, top + 10, _WORDS, top + 38), present.name, 22, DIM)
    canvas.fitted((MARGIN + 16, top + 40, _WORDS, top + 72), wording.value(present), 26, BRIGHT)
    words = (MARGIN + 16, top + 78, _WORDS, bottom - 6)
    changed = AMBER if track.changed else DIM
    canvas.fitted(words, wording.capitalised(comparison.change(track)), 17, changed)


def _draw_track(
    canvas: Canvas, top: int, bottom: int, track: Track, axis: _Axis, study: StudyRef
) -> None:
    """The estimates in time, a line between those of the present bundle, what was measured."""
    present = track.present
    points = [*track.earlier, Point(study, present, comparable=True)]
    scale = _scale(track, top, bottom)
    _draw_heights(canvas, scale, present)
    places = [(axis.x(_days(p.study.at)), scale.y(p.estimate.value)) for p in points]
    own = [place for place, point in zip(places, points, strict=True) if point.comparable]
    canvas.path(own, LINE)
    for (x, y), point in zip(places, points, strict=True):
        _draw_estimate(canvas, x, scale, point, is_present=point is points[-1])
        if len(points) <= _MOST_VALUES:
            canvas.text(x + 13, y - 8, wording.digits(point.estimate), 16, BRIGHT)
    for each in track.references:
        x, y = axis.x(_days(each.at)), scale.y(each.value)
        canvas.box((x - 7, y - 7, x + 7, y + 7), GREEN)
        canvas.text(x + 13, y - 8, wording.printed(present, each.value), 16, GREEN)


def _draw_heights(canvas: Canvas, scale: _Scale, present: Measurement) -> None:
    """What the ends of the scale mean, and the upper limit of normal, where they do not meet."""
    limit = None if present.upper_limit is None else scale.y(present.upper_limit)
    for value in (scale.low, scale.high):
        if limit is None or abs(scale.y(value) - limit) > _LETTERS:
            shown = wording.printed(present, value)
            canvas.right(_LEFT - 24, scale.y(value) - 8, shown, _LETTERS, DIM)
    if limit is not None:
        canvas.box((_LEFT - 16, limit, WIDTH - MARGIN - 16, limit + 1), RED)
        canvas.right(_LEFT - 24, limit - 8, f"limit {present.upper_limit:g}", _LETTERS, RED)


def _draw_estimate(
    canvas: Canvas, x: int, scale: _Scale, point: Point, *, is_present: bool
) -> None:
    """The interval as a bar; hollow where another bundle made the estimate."""
    estimate = point.estimate
    colour = BRIGHT if is_present else DIM
    if estimate.low is not None and estimate.high is not None:
        low, high = scale.y(estimate.low), scale.y(estimate.high)
        canvas.box((x - 1, high, x + 1, low), colour)
        for end in (low, high):
            canvas.box((x - 6, end - 1, x + 6, end), colour)
    inside = colour if point.comparable else PANEL
    canvas.dot(x, scale.y(estimate.value), 9 if is_present else 7, inside, outline=colour)


def _scale(track: Track, top: int, bottom: int) -> _Scale:
    """From the lowest to the highest of all that is drawn; from zero where no interval measures."""
    estimates = [track.present, *(point.estimate for point in track.earlier)]
    shown = [number for item in estimates for number in (item.value, item.low, item.high)]
    shown += [track.present.upper_limit, *(each.value for each in track.references)]
    shown += [] if any(item.low is not None for item in estimates) else [0.0]
    known = [number for number in shown if number is not None]
    low, high = min(known), max(known)
    return _Scale(low, high if high > low else low + 1, top, bottom)


def _draw_years(canvas: Canvas, axis: _Axis) -> None:
    """The first and the last day, and the beginnings of years between them."""
    for days in {axis.first, axis.last}:
        canvas.centred(axis.x(days), _BOTTOM + 8, str(date.fromordinal(days)), 16, DIM)
    years = range(date.fromordinal(axis.first).year + 1, date.fromordinal(axis.last).year + 1)
    step = 1 + len(years) // _MOST_YEARS
    for year in years[::step]:
        x = axis.x(date(year, 1, 1).toordinal())
        if _LEFT + 90 < x < _RIGHT - 90:
            canvas.centred(x, _BOTTOM + 8, str(year), 16, DIM)


def _legend(findings: Findings, course: Course) -> str:
    points = [point for track in course.tracks for point in track.earlier]
    estimates = [*(track.present for track in course.tracks), *(p.estimate for p in points)]
    parts = ["Point: estimate."]
    if any(item.low is not None for item in estimates):
        parts.append("Bar: its interval.")
    if not all(point.comparable for point in points):
        parts.append("Hollow: made with another model, not comparable.")
    if any(track.references for track in course.tracks):
        parts.append(f"Square: {findings.words.reference}.")
    return " ".join(parts)


def _all_days(course: Course) -> Iterator[int]:
    yield _days(course.study.at)
    for track in course.tracks:
        yield from (_days(point.study.at) for point in track.earlier)
        yield from (_days(each.at) for each in track.references)


def _days(at: str) -> int:
    return date(int(at[:4]), int(at[4:6]), int(at[6:8])).toordinal()

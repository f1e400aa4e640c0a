"""The estimates of a patient's studies over time: a picture as large as the summary."""

from collections.abc import Sequence
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
    HEIGHT,
    LINE,
    MARGIN,
    PANEL,
    RED,
    WIDTH,
    Canvas,
)
from dicom_node.report.picture import draw_heading
from inference.types import Course, Findings, Measurement, StudyRef, Track

_TOP, _BOTTOM, _GAP = 222, HEIGHT - 110, 12
_LEFT, _RIGHT, _WORDS = 400, WIDTH - MARGIN - 50, 300
#: Estimates of one quantity that are drawn with their values; more would overlap.
_MOST_VALUES = 10
_MOST_YEARS = 12


@dataclass(frozen=True, slots=True)
class _Seen:
    """One estimate on the picture."""

    x: int
    estimate: Measurement
    comparable: bool = True


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
    first = min(_days(point.study) for track in course.tracks for point in track.earlier)
    last = _days(course.study)
    height = (_BOTTOM - _TOP) // len(course.tracks)
    for index, track in enumerate(course.tracks):
        top = _TOP + index * height
        seen = [
            _Seen(_x(_days(p.study), first, last), p.estimate, p.comparable) for p in track.earlier
        ]
        seen.append(_Seen(_x(last, first, last), track.present))
        _draw_track(canvas, top, top + height - _GAP, track, seen)
    _draw_years(canvas, first, last)
    _draw_legend(canvas, course)
    return np.asarray(image, dtype=np.uint8)


def _draw_track(canvas: Canvas, top: int, bottom: int, track: Track, seen: Sequence[_Seen]) -> None:
    """Name, present value and change to the left; the estimates in time to the right."""
    present = track.present
    canvas.box((MARGIN, top, WIDTH - MARGIN, bottom), PANEL, radius=12)
    canvas.fitted((MARGIN + 16, top + 10, _WORDS, top + 38), present.name, 22, DIM)
    canvas.fitted((MARGIN + 16, top + 40, _WORDS, top + 72), wording.value(present), 26, BRIGHT)
    words = (MARGIN + 16, top + 78, _WORDS, bottom - 6)
    changed = AMBER if track.changed else DIM
    canvas.fitted(words, wording.capitalised(comparison.change(track)), 17, changed)
    scale = _scale([item.estimate for item in seen], present.upper_limit, top + 26, bottom - 14)
    for value in (scale.low, scale.high):
        canvas.right(_LEFT - 24, scale.y(value) - 8, wording.printed(present, value), 15, DIM)
    if present.upper_limit is not None:
        limit = scale.y(present.upper_limit)
        canvas.box((_LEFT - 16, limit, WIDTH - MARGIN - 16, limit + 1), RED)
        canvas.right(_LEFT - 24, limit - 8, f"limit {present.upper_limit:g}", 15, RED)
    own = [(item.x, scale.y(item.estimate.value)) for item in seen if item.comparable]
    canvas.path(own, LINE)
    for item in seen:
        _draw_estimate(canvas, scale, item, is_present=item is seen[-1])
        if len(seen) <= _MOST_VALUES:
            _draw_value(canvas, scale, item)


def _draw_estimate(canvas: Canvas, scale: _Scale, item: _Seen, *, is_present: bool) -> None:
    """The interval as a bar; hollow where another bundle made the estimate."""
    x, estimate = item.x, item.estimate
    colour = BRIGHT if is_present else DIM
    if estimate.low is not None and estimate.high is not None:
        low, high = scale.y(estimate.low), scale.y(estimate.high)
        canvas.box((x - 1, high, x + 1, low), colour)
        for end in (low, high):
            canvas.box((x - 6, end - 1, x + 6, end), colour)
    inside = colour if item.comparable else PANEL
    canvas.dot(x, scale.y(estimate.value), 9 if is_present else 7, inside, outline=colour)


def _draw_value(canvas: Canvas, scale: _Scale, item: _Seen) -> None:
    y = scale.y(item.estimate.value)
    canvas.text(item.x + 13, y - 8, wording.digits(item.estimate), 16, BRIGHT)


def _scale(estimates: Sequence[Measurement], limit: float | None, top: int, bottom: int) -> _Scale:
    """From the lowest to the highest of all that is drawn."""
    shown = [number for item in estimates for number in (item.value, item.low, item.high)]
    known = [number for number in (*shown, limit) if number is not None]
    low, high = min(known), max(known)
    return _Scale(low, high if high > low else low + 1, top, bottom)


def _draw_years(canvas: Canvas, first: int, last: int) -> None:
    """The first and the last day, and the beginnings of years between them."""
    for days in (first, last):
        canvas.centred(_x(days, first, last), _BOTTOM + 8, str(date.fromordinal(days)), 16, DIM)
    years = range(date.fromordinal(first).year + 1, date.fromordinal(last).year + 1)
    step = 1 + len(years) // _MOST_YEARS
    for year in years[::step]:
        x = _x(date(year, 1, 1).toordinal(), first, last)
        if _LEFT + 90 < x < _RIGHT - 90:
            canvas.centred(x, _BOTTOM + 8, str(year), 16, DIM)


def _draw_legend(canvas: Canvas, course: Course) -> None:
    points = [point for track in course.tracks for point in track.earlier]
    parts = ["Bar: interval of the estimate."]
    if not all(point.comparable for point in points):
        parts.append("Hollow: made with another model, not comparable.")
    canvas.text(MARGIN, HEIGHT - 76, " ".join(parts), 17, DIM)


def _x(days: int, first: int, last: int) -> int:
    return round(_LEFT + (days - first) / max(1, last - first) * (_RIGHT - _LEFT))


def _days(study: StudyRef) -> int:
    return date(int(study.at[:4]), int(study.at[4:6]), int(study.at[6:8])).toordinal()

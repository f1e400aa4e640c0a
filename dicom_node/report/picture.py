"""The summary picture: what every viewer can show, drawn without patient identity."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dicom_node.report import comparison, wording
from dicom_node.report.canvas import (
    AMBER,
    BACKGROUND,
    BAND,
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
from dicom_node.report.context import NO_NOTICE, Notice, StudyContext
from dicom_node.report.gauge import gauge
from dicom_node.report.headlines import Headline, headlines
from inference.types import (
    Classification,
    Evidence,
    Findings,
    Measurement,
    Normality,
    Picture,
    Standing,
    by_relevance,
)

#: Where the bars of the measurements and the column of the verdicts lie, in pixels.
_BAR_LEFT, _BAR_RIGHT, _VERDICTS_LEFT, _VERDICTS_TOP = 400, 830, 880, 88
_TOP, _MIDDLE = 182, 560
_CLASS_HEIGHT = 104
#: So many measurements have the room that is theirs.
_ROWS = 3
#: So many characters of a value leave room for its unit in large letters.
_LARGE_DIGITS = 4
#: So many characters of a verdict have room in large letters.
_LARGE_WORD = 14
_THUMBNAIL = (280, 210)
_SIDES = {Normality.HIGH: AMBER, Normality.NORMAL: GREEN}
_SIGNS = {True: AMBER, False: GREEN, None: DIM}


def summary_picture(
    findings: Findings, study: StudyContext, notice: Notice = NO_NOTICE
) -> NDArray[np.uint8]:
    """RGB, shape (HEIGHT, WIDTH, 3)."""
    image = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    canvas = Canvas(ImageDraw.Draw(image))
    draw_heading(canvas, findings)
    if notice.withdrawn is not None:
        _draw_withdrawal(canvas, notice.withdrawn)
    elif findings.abstention is not None:
        _draw_abstention(canvas, findings, findings.abstention)
    else:
        if findings.measurements or not findings.pictures:
            _draw_measurements(canvas, findings)
        else:
            _draw_first_picture(image, findings.pictures[0])
        _draw_verdicts(canvas, findings)
        _draw_evidence(image, canvas, findings)
    _draw_footer(canvas, findings, study)
    return np.asarray(image, dtype=np.uint8)


def draw_heading(canvas: Canvas, findings: Findings) -> None:
    """What no picture of ours is without: the standing, the title, that nobody verified it."""
    canvas.box((0, 0, WIDTH, 64), BAND[findings.model.standing])
    canvas.centred(WIDTH // 2, 32, findings.model.warning, 30, (0, 0, 0))
    canvas.text(MARGIN, 86, findings.title, 27)
    canvas.text(MARGIN, 120, wording.NOT_VERIFIED, 20, AMBER)
    if findings.cautions:
        caution = (MARGIN, 148, _BAR_RIGHT, _TOP - 8)
        canvas.fitted(caution, " ".join(findings.cautions), 18, AMBER)


def _draw_measurements(canvas: Canvas, findings: Findings) -> None:
    row = (_MIDDLE - _TOP) // max(_ROWS, len(findings.measurements))
    for index, measurement in enumerate(findings.measurements):
        _draw_measurement(canvas, _TOP + index * row, measurement, findings)


def _draw_first_picture(image: Image.Image, picture: Picture) -> None:
    """Where the measurements would be, if there were any."""
    shown = Image.fromarray(picture.pixels)
    shown.thumbnail((_BAR_RIGHT - MARGIN, _MIDDLE - _TOP - 12))
    image.paste(shown, (MARGIN, _TOP))


def _draw_measurement(
    canvas: Canvas, top: int, measurement: Measurement, findings: Findings
) -> None:
    """Name and value to the left, the interval against the upper limit of normal to the right."""
    words = DIM if findings.model.standing is Standing.UNTRAINED else BRIGHT
    colour = _SIDES.get(findings.normality(measurement), DIM)
    canvas.text(MARGIN, top + 12, measurement.name, 26, DIM)
    digits = wording.digits(measurement)
    size = 46 if len(digits) <= _LARGE_DIGITS else 36
    behind = canvas.text(MARGIN + 100, top + (46 - size), digits, size, words)
    canvas.text(behind + 10, top + 17, measurement.unit.meaning, 26, words)
    canvas.text(MARGIN + 100, top + 60, wording.interval(measurement), 19, DIM)
    doubt = "; ".join(filter(None, [wording.beyond(measurement), wording.borderline(measurement)]))
    canvas.text(MARGIN + 100, top + 90, doubt, 17, DIM)
    track = comparison.track_of(findings, measurement)
    if track is not None and len(findings.measurements) <= _ROWS:  # the rows of more are too low
        below, change = top + (109 if doubt else 90), comparison.change(track)
        canvas.text(MARGIN + 100, below, change, 16, AMBER if track.changed else DIM)

    scale = gauge(measurement)

    def x(value: float) -> int:
        return round(_BAR_LEFT + scale.share(value) * (_BAR_RIGHT - _BAR_LEFT))

    middle = top + 34
    canvas.box((_BAR_LEFT, middle - 2, _BAR_RIGHT, middle + 2), LINE)
    if scale.high > scale.low:
        canvas.box((x(scale.low), middle - 9, x(scale.high), middle + 9), colour, radius=9)
    canvas.dot(x(measurement.value), middle, 11, words, outline=colour)
    if measurement.upper_limit is not None:
        limit = x(measurement.upper_limit)
        canvas.box((limit - 1, middle - 26, limit + 2, middle + 26), RED)
        canvas.centred(limit, middle + 40, f"limit {measurement.upper_limit:g}", 17, RED)
    canvas.text(_BAR_LEFT, middle + 31, "0", 17, DIM)
    canvas.right(_BAR_RIGHT, middle + 31, f"{scale.end:.0f} {measurement.unit.meaning}", 17, DIM)


def _draw_verdicts(canvas: Canvas, findings: Findings) -> None:
    """The verdicts, and below them the class that follows from them."""
    bottom = _MIDDLE
    if findings.classification is not None:
        bottom -= _CLASS_HEIGHT + 16
        _draw_class(canvas, bottom, findings.classification)
    verdicts = list(headlines(findings))
    row = (bottom - _VERDICTS_TOP) // max(2, len(verdicts))
    for index, verdict in enumerate(verdicts):
        _draw_verdict(canvas, _VERDICTS_TOP + index * row, row - 16, verdict)


def _draw_verdict(canvas: Canvas, top: int, height: int, verdict: Headline) -> None:
    left, width = _panel(canvas, top, height)
    name = (left, top + 9, left + width, top + 35)
    canvas.fitted(name, verdict.name, 19, BRIGHT)
    if len(verdict.stated) <= _LARGE_WORD:
        canvas.text(left, top + 32, verdict.stated, 30, _SIGNS[verdict.sign])
    else:
        stated = (left, top + 36, left + width, top + 66)
        canvas.fitted(stated, verdict.stated, 24, _SIGNS[verdict.sign])
    y = top + 68
    if verdict.certainty:
        canvas.text(left, y, verdict.certainty, 19, BRIGHT)
        y += 26
    canvas.fitted((left, y, left + width, top + height - 5), verdict.why, 17, DIM)


def _draw_class(canvas: Canvas, top: int, found: Classification) -> None:
    left, width = _panel(canvas, top, _CLASS_HEIGHT)
    canvas.text(left, top + 10, wording.capitalised(found.name), 17, DIM)
    name, colour = (found.value.meaning, BRIGHT) if found.determined else ("UNDETERMINED", DIM)
    y = canvas.paragraph(left, top + 34, width, name, 20, colour)
    canvas.fitted((left, y, left + width, top + _CLASS_HEIGHT), found.reason, 16, DIM)


def _panel(canvas: Canvas, top: int, height: int) -> tuple[int, int]:
    """An empty panel in the column of the verdicts; the left and the width of its words."""
    canvas.box((_VERDICTS_LEFT, top, WIDTH - MARGIN, top + height), PANEL, radius=12)
    return _VERDICTS_LEFT + 22, WIDTH - MARGIN - _VERDICTS_LEFT - 44


def _draw_evidence(image: Image.Image, canvas: Canvas, findings: Findings) -> None:
    """The three inputs with the highest weight, and what the estimate would be without each."""
    canvas.text(MARGIN, _MIDDLE + 4, wording.ranking(findings), 20, DIM)
    found = findings.familiarity
    colour = DIM if found is None or found.familiar == found.judged else AMBER
    canvas.right(WIDTH - MARGIN, _MIDDLE + 4, wording.familiar_inputs(findings), 20, colour)
    for index, shown in enumerate(by_relevance(findings.evidence)[:3]):
        left = MARGIN + index * ((WIDTH - 2 * MARGIN) // 3)
        _draw_preview(image, canvas, (left, _MIDDLE + 32), shown)
        text_top = _MIDDLE + 32 + _THUMBNAIL[1] + 6
        marked = "  relevant" if shown.relevant else ""
        words = [wording.input_name(shown, findings), f"{wording.weight(shown)}{marked}"]
        canvas.text(left, text_top, "   ".join(words).rstrip(), 20, BRIGHT)
        canvas.line(left, text_top + 24, 385, wording.bearing(shown, findings), 16, DIM)
        canvas.line(left, text_top + 43, 385, wording.plain(shown.instance.description), 16, DIM)
        below = (left, text_top + 62, left + 385, HEIGHT - 54)
        canvas.fitted(below, wording.strangeness(shown), 16, AMBER)


def _draw_preview(
    image: Image.Image, canvas: Canvas, corner: tuple[int, int], shown: Evidence
) -> None:
    left, top = corner
    width, height = _THUMBNAIL
    canvas.box((left, top, left + width, top + height), (0, 0, 0), outline=LINE)
    if shown.preview is None:
        canvas.centred(left + width // 2, top + height // 2, "no preview", 18, DIM)
        return
    preview = Image.fromarray(shown.preview)
    preview.thumbnail((width - 4, height - 4))
    scale = min((width - 4) / preview.width, (height - 4) / preview.height)
    preview = preview.resize((round(preview.width * scale), round(preview.height * scale)))
    image.paste(
        preview, (left + (width - preview.width) // 2, top + (height - preview.height) // 2)
    )


def _draw_withdrawal(canvas: Canvas, why: str) -> None:
    width = WIDTH - 2 * MARGIN
    canvas.text(MARGIN, 200, "WITHDRAWN", 64, RED)
    y = canvas.paragraph(MARGIN, 290, width, why, 26, BRIGHT)
    y = canvas.paragraph(MARGIN, y + 12, width, wording.NO_LONGER_VALID, 26, BRIGHT)
    canvas.paragraph(MARGIN, y + 12, width, wording.NOT_NORMAL, 26, AMBER)


def _draw_abstention(canvas: Canvas, findings: Findings, why: str) -> None:
    width = WIDTH - 2 * MARGIN
    canvas.text(MARGIN, 200, "No estimate", 64, AMBER)
    y = canvas.paragraph(MARGIN, 290, width, wording.capitalised(why), 26, BRIGHT)
    y = canvas.paragraph(MARGIN, y + 12, width, wording.NOT_NORMAL, 26, AMBER)
    counts = wording.exclusion_counts(findings)
    if counts:
        canvas.text(MARGIN, y + 34, "Not analysed", 22, DIM)
    y += 76
    for reason, count in counts[:8]:
        canvas.right(MARGIN + 60, y, str(count), 24, BRIGHT)
        canvas.text(MARGIN + 80, y, reason, 24, BRIGHT)
        y += 40
    if len(counts) > 8:
        rest = sum(count for _, count in counts[8:])
        canvas.text(MARGIN + 80, y, f"{rest} more for other reasons, see the report", 22, DIM)


def _draw_footer(canvas: Canvas, findings: Findings, study: StudyContext) -> None:
    excluded = len(findings.exclusions)
    canvas.box((MARGIN, HEIGHT - 52, WIDTH - MARGIN, HEIGHT - 51), LINE)
    line = (
        f"{wording.model(findings)}   revision {study.revision}   {excluded} instances not analysed"
    )
    canvas.text(MARGIN, HEIGHT - 42, line, 16, DIM)

"""The page: one sheet of A4 on which a cardiologist reads the whole result."""

from datetime import datetime

from PIL import Image

from dicom_node.report import comparison, narrative, wording
from dicom_node.report.canvas import BAND
from dicom_node.report.context import NodeIdentity, Notice, Predecessor, StudyContext
from dicom_node.report.gauge import gauge
from dicom_node.report.headlines import Headline, headlines
from dicom_node.report.identification import identification
from dicom_node.report.letters import letters_for
from dicom_node.report.sheet import (
    AMBER,
    DIM,
    GREEN,
    HEIGHT,
    INK,
    LINE,
    MARGIN,
    PANEL,
    RED,
    WIDTH,
    Colour,
    Sheet,
)
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

_LEFT, _RIGHT = MARGIN, WIDTH - MARGIN
_BAR_LEFT, _BAR_RIGHT = 285.0, _RIGHT - 4
_GAP = 10.0
_PREVIEW = (164.0, 123.0)
#: Pixels of a preview: enough for print, little for the archive.
_PREVIEW_PIXELS = (480, 360)
#: A picture in place of the measurements: its greatest height, and what of it is kept.
_PICTURE_HEIGHT, _PICTURE_PIXELS = 270.0, (1400, 900)
_FOOTER_TOP = HEIGHT - 52
_SIDES = {Normality.HIGH: AMBER, Normality.NORMAL: GREEN}
_SIGNS = {True: AMBER, False: GREEN, None: DIM}


def report_page(
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    made_at: datetime,
    predecessor: Predecessor | None,
    notice: Notice,
) -> bytes:
    """A PDF of one page; the same arguments give the same bytes."""
    letters = letters_for(identity.page_font)
    sheet = Sheet(letters, title=findings.title, author=identity.manufacturer)
    shown = identification(study, identity, letters)
    y = _draw_identification(sheet, _draw_heading(sheet, findings), shown)
    if notice.withdrawn is not None:
        said = [notice.withdrawn, wording.NO_LONGER_VALID, wording.NOT_NORMAL]
        y = _draw_refusal(sheet, y, "WITHDRAWN", RED, said)
    elif findings.abstention is not None:
        y = _draw_refusal(sheet, y, "No estimate", AMBER, [findings.abstention, wording.NOT_NORMAL])
    for measurement in findings.measurements:
        y = _draw_measurement(sheet, y, measurement, findings)
    if findings.pictures and not findings.measurements:
        y = _draw_picture(sheet, y, findings.pictures[0])
    y += _GAP / 2
    for verdict in headlines(findings):
        y = _draw_verdict(sheet, y, verdict)
    if findings.classification is not None:
        y = _draw_class(sheet, y, findings.classification)
    y = _draw_evidence(sheet, y + _GAP, findings)
    remarks = _remarks(findings, predecessor, notice)
    _draw_remarks(sheet, y + _GAP, remarks)
    _draw_footer(sheet, findings, study, identity, made_at)
    return sheet.to_bytes()


def _draw_heading(sheet: Sheet, findings: Findings) -> float:
    sheet.box((0, 0, WIDTH, 30), BAND[findings.model.standing])
    sheet.centred(WIDTH / 2, 8, findings.model.warning, 12)
    y = sheet.paragraph(_LEFT, 42, _RIGHT - _LEFT, findings.title, 15)
    for warning in (wording.NOT_VERIFIED, *findings.cautions):
        y = sheet.paragraph(_LEFT, y + 1, _RIGHT - _LEFT, warning, 9.5, AMBER)
    return y


def _draw_identification(sheet: Sheet, y: float, shown: list[tuple[str, str]]) -> float:
    """Two columns on a panel that is as high as the longer one."""
    width = (_RIGHT - _LEFT) / 2 - 104
    columns = ((_LEFT + 10, shown[:4]), ((_LEFT + _RIGHT) / 2 + 4, shown[4:]))
    longer = max(sum(sheet.height(words, width, 9) for _, words in lines) for _, lines in columns)
    top, bottom = y + _GAP, y + _GAP + longer + 14
    sheet.box((_LEFT, top, _RIGHT, bottom), PANEL, radius=4)
    for left, lines in columns:
        y = top + 7
        for label, words in lines:
            sheet.text(left, y + 0.8, label, 8, DIM)
            y = sheet.paragraph(left + 90, y, width, words, 9)
    return bottom + _GAP


def _draw_measurement(
    sheet: Sheet, top: float, measurement: Measurement, findings: Findings
) -> float:
    """Name and value to the left, the interval against the upper limit of normal to the right."""
    words = DIM if findings.model.standing is Standing.UNTRAINED else INK
    sheet.text(_LEFT, top + 9, measurement.name, 12, DIM)
    behind = sheet.text(_LEFT + 52, top, wording.digits(measurement), 22, words)
    sheet.text(behind + 5, top + 9, measurement.unit.meaning, 12, words)
    sheet.paragraph(_LEFT + 52, top + 30, 185, wording.interval(measurement), 8.5, DIM)
    _draw_bar(sheet, top + 13, measurement, _SIDES.get(findings.normality(measurement), DIM))
    sheet.text(_LEFT + 52, top + 41, wording.beyond(measurement), 7, DIM)
    limit = wording.borderline(measurement) or wording.limit(measurement)
    sheet.paragraph(_BAR_LEFT, top + 37.5, _BAR_RIGHT - _BAR_LEFT, limit, 7, DIM)
    return top + 54


def _draw_bar(sheet: Sheet, middle: float, measurement: Measurement, colour: Colour) -> None:
    scale = gauge(measurement)

    def x(value: float) -> float:
        return _BAR_LEFT + scale.share(value) * (_BAR_RIGHT - _BAR_LEFT)

    sheet.box((_BAR_LEFT, middle - 1, _BAR_RIGHT, middle + 1), LINE)
    if scale.high > scale.low:
        sheet.box((x(scale.low), middle - 4, x(scale.high), middle + 4), colour, radius=4)
    sheet.dot(x(measurement.value), middle, 5, colour)
    if measurement.upper_limit is not None:
        limit = x(measurement.upper_limit)
        sheet.box((limit - 0.6, middle - 11, limit + 0.6, middle + 11), RED)
        sheet.centred(limit, middle + 13, f"limit {measurement.upper_limit:g}", 7.5, RED)
    sheet.text(_BAR_LEFT, middle + 13, "0", 7.5, DIM)
    end = f"{scale.end:.0f} {measurement.unit.meaning}"
    sheet.right(_BAR_RIGHT, middle + 13, end, 7.5, DIM)


def _draw_picture(sheet: Sheet, top: float, picture: Picture) -> float:
    """As wide as the page, where there are no measurements."""
    shown = Image.fromarray(picture.pixels)
    shown.thumbnail(_PICTURE_PIXELS)
    width = min(_RIGHT - _LEFT, _PICTURE_HEIGHT * shown.width / shown.height)
    bottom = top + width * shown.height / shown.width
    sheet.picture((_LEFT, top, _LEFT + width, bottom), shown)
    return bottom + _GAP / 2


def _draw_verdict(sheet: Sheet, top: float, verdict: Headline) -> float:
    sheet.text(_LEFT, top + 1.5, verdict.name, 10)
    behind = sheet.text(_BAR_LEFT, top, verdict.stated, 12, _SIGNS[verdict.sign])
    sheet.text(behind + 8, top + 2, verdict.certainty, 9)
    return sheet.paragraph(_BAR_LEFT, top + 16, _RIGHT - _BAR_LEFT, verdict.why, 7.5, DIM) + 4


def _draw_class(sheet: Sheet, top: float, found: Classification) -> float:
    width = _RIGHT - _BAR_LEFT
    sheet.text(_LEFT, top + 1.5, wording.capitalised(found.name), 10)
    stated, colour = (found.value.meaning, INK) if found.determined else ("UNDETERMINED", DIM)
    y = sheet.paragraph(_BAR_LEFT, top + 1, width, stated, 10, colour)
    why = found.criterion or wording.capitalised(found.reason)
    return sheet.paragraph(_BAR_LEFT, y + 1, width, why, 7.5, DIM) + 4


def _draw_refusal(sheet: Sheet, top: float, word: str, colour: Colour, said: list[str]) -> float:
    """Why there is nothing to read off, in large letters."""
    sheet.text(_LEFT, top + 6, word, 30, colour)
    y = top + 50
    for sentence in said:
        y = sheet.paragraph(_LEFT, y, _RIGHT - _LEFT, wording.capitalised(sentence), 12) + 4
    return y


def _draw_evidence(sheet: Sheet, top: float, findings: Findings) -> float:
    """The three inputs with the highest weight, and what the estimate would be without each."""
    best = by_relevance(findings.evidence)[:3]
    if not best:
        return top
    sheet.text(_LEFT, top, wording.ranking(findings), 9, DIM)
    step = (_RIGHT - _LEFT - _PREVIEW[0]) / 2
    return max(
        _draw_input(sheet, _LEFT + index * step, top + 16, shown, findings)
        for index, shown in enumerate(best)
    )


def _draw_input(
    sheet: Sheet, left: float, top: float, shown: Evidence, findings: Findings
) -> float:
    width, height = _PREVIEW
    sheet.box((left, top, left + width, top + height), INK)
    if shown.preview is None:
        sheet.centred(left + width / 2, top + height / 2 - 5, "no preview", 9, LINE)
    else:
        preview = Image.fromarray(shown.preview)
        preview.thumbnail(_PREVIEW_PIXELS)
        sheet.picture((left + 1, top + 1, left + width - 1, top + height - 1), preview)
    told = wording.listed([wording.weight(shown), "relevant" if shown.relevant else ""])
    name = ": ".join(filter(None, [wording.input_name(shown, findings), told]))
    y = top + height + 4
    y = sheet.paragraph(left, y, width, name, 8.5)
    y = sheet.paragraph(left, y, width, wording.bearing(shown, findings), 6.6, DIM)
    y = sheet.paragraph(left, y, width, wording.plain(shown.instance.description), 6.6, DIM)
    return sheet.paragraph(left, y, width, wording.strangeness(shown), 6.6, AMBER)


def _remarks(findings: Findings, predecessor: Predecessor | None, notice: Notice) -> list[str]:
    """What must be known beside the values; what was corrected comes first."""
    remarks = [*narrative.changes(predecessor, notice), *comparison.comparisons(findings)]
    remarks += [wording.familiarity(findings)]
    remarks += [*narrative.reservations(findings), wording.not_analysed(findings)]
    return list(filter(None, remarks))


def _draw_remarks(sheet: Sheet, top: float, remarks: list[str]) -> None:
    """All of them, in smaller letters where there is much; what does not fit is counted."""
    width, bottom = _RIGHT - _LEFT, _FOOTER_TOP - 14
    size = sheet.fitting_size(remarks, width, bottom - top, 8.5)
    for index, remark in enumerate(remarks):
        if top + sheet.height(remark, width, size) > bottom + 1:
            rest = f"{len(remarks) - index} more remarks are in the structured report."
            sheet.text(_LEFT, top, rest, 8, AMBER)
            return
        top = sheet.paragraph(_LEFT, top, width, remark, size)


def _draw_footer(
    sheet: Sheet,
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    made_at: datetime,
) -> None:
    sheet.box((_LEFT, _FOOTER_TOP, _RIGHT, _FOOTER_TOP + 0.6), LINE)
    made = study.local_time(made_at).strftime("%Y-%m-%d %H:%M:%S %z").strip()
    maker = f"{identity.manufacturer} {identity.model_name} {identity.software_version}"
    counts = f"{len(findings.evidence)} analysed, {len(findings.exclusions)} not"
    sheet.text(_LEFT, _FOOTER_TOP + 6, wording.model(findings), 7, DIM)
    last = f"Revision {study.revision}, of the study as of {made}, by {maker}; instances: {counts}"
    sheet.text(_LEFT, _FOOTER_TOP + 17, last, 7, DIM)

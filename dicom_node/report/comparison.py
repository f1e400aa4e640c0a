"""How each quantity went since the patient's earlier studies, in words."""

from collections.abc import Iterator

from dicom_node.report import wording
from inference.types import Findings, Measurement, Point, Track

#: Earlier estimates of one quantity that a sentence names; the structured report has them all.
MOST_NAMED = 4
_COMPARED = {
    True: "more than the uncertainty of both estimates",
    False: "within the uncertainty of both estimates",
    None: "whether this is a change cannot be told",
}


def comparisons(findings: Findings) -> Iterator[str]:
    """One sentence for each quantity that was estimated before."""
    if findings.course is not None:
        yield from map(sentence, findings.course.tracks)


def track_of(findings: Findings, measurement: Measurement) -> Track | None:
    """How one measurement of the findings went."""
    tracks = findings.course.tracks if findings.course else ()
    return next((track for track in tracks if track.present.name == measurement.name), None)


def sentence(track: Track) -> str:
    """Such as "Depth, earlier estimates: 31 mm (2024-03-04); +2 mm since 2024-03-04, ...."."""
    named = ", ".join(map(_named, track.earlier[-MOST_NAMED:]))
    more = len(track.earlier) - MOST_NAMED
    before = f"{more} before, " if more > 0 else ""
    return f"{track.present.name}, earlier estimates: {before}{named}; {change(track)}."


def change(track: Track) -> str:
    """Such as "+2 mm since 2024-03-04, within the uncertainty of both estimates"."""
    previous = track.previous
    if previous is None:
        return "not compared, since another model made them"
    present, before = track.present, previous.estimate
    since, compared = f"since {day(previous)}", _COMPARED[track.changed]
    if present.beyond_range or before.beyond_range:
        return f"{since}: {compared}"
    difference = present.printed(present.value) - before.printed(before.value)
    shown = f"{difference:+z.{present.decimals}f} {present.unit.meaning}"
    return f"{shown} {since}, {compared}"


def day(point: Point) -> str:
    """The day of an earlier study, such as 2024-03-04."""
    at = point.study.at
    return f"{at[:4]}-{at[4:6]}-{at[6:8]}"


def _named(point: Point) -> str:
    """Such as "31 mm (2024-03-04)"; of another bundle, it says so."""
    whose = "" if point.comparable else ", another model"
    return f"{wording.value(point.estimate)} ({day(point)}{whose})"

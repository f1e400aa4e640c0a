"""How each quantity went since the patient's earlier studies, in words."""

from collections.abc import Iterable, Iterator

from dicom_node.report import wording
from inference.types import Findings, Measurement, Point, Reference, Track

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
        yield from (sentence(track, findings) for track in findings.course.tracks)


def track_of(findings: Findings, measurement: Measurement) -> Track | None:
    """How one measurement of the findings went."""
    tracks = findings.course.tracks if findings.course else ()
    return next((track for track in tracks if track.present.name == measurement.name), None)


def sentence(track: Track, findings: Findings) -> str:
    """Such as "Depth, earlier estimates: 31 mm (2024-03-04); +2 mm since 2024-03-04, ...."."""
    told = []
    if track.earlier:
        told = [f"earlier estimates: {_last(map(_named, track.earlier))}", change(track)]
    if track.references:
        found = (f"{value(each, track)} ({day(each.at)})" for each in track.references)
        told.append(f"{findings.words.reference}: {_last(found)}")
    return f"{track.present.name}, {'; '.join(told)}."


def value(reference: Reference, track: Track) -> str:
    """What was measured otherwise, such as "33 mm"."""
    return f"{wording.printed(track.present, reference.value)} {track.present.unit.meaning}"


def change(track: Track) -> str:
    """Such as "+2 mm since 2024-03-04, within the uncertainty of both estimates".

    "" where nothing was estimated before.
    """
    previous = track.previous
    if not track.earlier:
        return ""
    if previous is None:
        return "not compared, since another model made them"
    present, before = track.present, previous.estimate
    since, compared = f"since {day(previous.study.at)}", _COMPARED[track.changed]
    if present.beyond_range or before.beyond_range:
        return f"{since}: {compared}"
    difference = present.printed(present.value) - before.printed(before.value)
    shown = f"{difference:+z.{present.decimals}f} {present.unit.meaning}"
    return f"{shown} {since}, {compared}"


def day(at: str) -> str:
    """The day of a time, such as 2024-03-04."""
    return f"{at[:4]}-{at[4:6]}-{at[6:8]}"


def _last(named: Iterable[str]) -> str:
    """The last ones; how many are before them."""
    listed = list(named)
    more = len(listed) - MOST_NAMED
    return ", ".join([f"{more} before"] * (more > 0) + listed[-MOST_NAMED:])


def _named(point: Point) -> str:
    """Such as "31 mm (2024-03-04)"; of another bundle, it says so."""
    whose = "" if point.comparable else ", another model"
    return f"{wording.value(point.estimate)} ({day(point.study.at)}{whose})"

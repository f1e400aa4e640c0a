"""What the findings say, as HL7 observations: OBX segments, each with its notes behind it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dicom_node.hl7.segments import Value, segment
from dicom_node.report import concepts, wording
from inference.types import (
    Assessment,
    Code,
    Findings,
    Grade,
    Measurement,
    Normality,
    Presence,
    Withheld,
)

#: IHE CARD, Displayable Reports: the study that the observations are about.
_DICOM_STUDY = Code("113014", "DCM", "DICOM Study")
#: HL7 table 0105: the ancillary department that fills the order.
_FROM_FILLER = "L"
#: HL7 table 0078; no flag where the interval spans the limit.
_FLAGS = {Normality.HIGH: "H", Normality.NORMAL: "N"}


class Status(StrEnum):
    """HL7 table 0085: how an observation stands."""

    PRELIMINARY = "P"
    CORRECTION = "C"
    WRONG = "W"


@dataclass(frozen=True, slots=True)
class Observation:
    """One OBX and its notes; `limit` is the reference range, `probability` in 0..1 of the value."""

    type: str
    concept: Code
    value: Value
    units: Value = ""
    limit: str = ""
    flag: str = ""
    probability: str = ""
    notes: tuple[str, ...] = ()
    status: Status = Status.PRELIMINARY


def coded(code: Code) -> Value:
    """A code as CE has it; the names of the coding schemes are those of DICOM."""
    return (code.value, code.meaning, code.scheme)


def observed(findings: Findings) -> list[Observation]:
    """Each estimate, verdict and grade, and the class; or the status that no estimate was made."""
    if findings.abstention is not None:
        status = coded(concepts.NOT_ESTIMATED)
        notes = (wording.no_estimate(findings.abstention), wording.NOT_NORMAL)
        return [Observation("CE", concepts.ESTIMATE_STATUS, status, notes=notes)]
    return [
        *(_estimate(item, findings) for item in findings.measurements),
        *(_verdict(item) for item in findings.assessments),
        *(_grade(item) for item in findings.grades),
        *_class(findings),
        *(_withheld(item) for item in findings.withheld),
    ]


def withdrawn(why: str) -> Observation:
    """That everything before is withdrawn."""
    notes = (why, wording.NO_LONGER_VALID)
    return Observation("CE", concepts.ESTIMATE_STATUS, coded(concepts.WITHDRAWN), notes=notes)


def study_reference(study_instance_uid: str) -> Observation:
    """Which DICOM study the message is about, for viewers that are called from it."""
    return Observation("HD", _DICOM_STUDY, study_instance_uid)


def taken_back(before: Sequence[Observation], now: Sequence[Observation] = ()) -> list[Observation]:
    """What an earlier message said and the present one does not say again: it was wrong."""
    said = {item.concept for item in now}
    return [
        replace(item, limit="", flag="", probability="", notes=(), status=Status.WRONG)
        for item in before
        if item.concept not in said
    ]


@dataclass(frozen=True, slots=True)
class Origin:
    """What the observations come from: the times (HL7 DTM) of study and analysis, the algorithm."""

    observed_at: str
    analysed_at: str
    equipment: Value


def segments(observations: Sequence[Observation], origin: Origin) -> Iterator[str]:
    """OBX, numbered through, each followed by its NTE (HL7 2.5.1 sections 7.4.2, 2.14.10)."""
    for number, item in enumerate(observations, 1):
        yield segment(
            "OBX",
            {
                1: str(number),
                2: item.type,
                3: coded(item.concept),
                5: item.value,
                6: item.units,
                7: item.limit,
                8: item.flag,
                9: item.probability,
                11: item.status.value,
                14: origin.observed_at,
                17: coded(concepts.AI_ESTIMATION),
                18: origin.equipment,
                19: origin.analysed_at,
            },
        )
        yield from notes(item.notes)


def notes(texts: Iterable[str]) -> Iterator[str]:
    """NTE: remarks on the segment before them, from whoever made the observations."""
    for number, text in enumerate(texts, 1):
        yield segment("NTE", {1: str(number), 2: _FROM_FILLER, 3: text})


def _estimate(measurement: Measurement, findings: Findings) -> Observation:
    """A number (NM), or a comparison with the end of the model's range (SN)."""
    end = measurement.value
    sign = "<" if measurement.below_range(end) else ">" if measurement.above_range(end) else ""
    number = wording.printed(measurement, end)
    said = f"{wording.value(measurement)}, {wording.interval(measurement)}"
    limit = measurement.upper_limit
    return Observation(
        "SN" if sign else "NM",
        measurement.concept,
        (sign, number) if sign else number,
        units=coded(measurement.unit),
        limit="" if limit is None else f"<={limit:g}",
        flag=_FLAGS.get(findings.normality(measurement), ""),
        notes=("; ".join(filter(None, [said, wording.judgement(measurement)])),),
    )


def _verdict(assessment: Assessment) -> Observation:
    """OBX-9 is the certainty of what is stated; nothing where nothing is."""
    certainty = assessment.certainty_percent
    return Observation(
        "CE",
        assessment.concept,
        coded(concepts.PRESENCE[assessment.presence]),
        probability="" if certainty is None else f"{certainty / 100:.2f}",
        notes=(wording.verdict(assessment),),
    )


def _grade(grade: Grade) -> Observation:
    """OBX-9 is the certainty of the level; nothing where none is stated."""
    level = grade.level or concepts.PRESENCE[Presence.UNDETERMINED]
    certainty = "" if grade.percent is None else f"{grade.percent / 100:.2f}"
    return Observation(
        "CE",
        grade.concept,
        coded(level),
        probability=certainty,
        notes=(wording.grade(grade),),
    )


def _withheld(item: Withheld) -> Observation:
    undetermined = coded(concepts.PRESENCE[Presence.UNDETERMINED])
    return Observation("CE", item.concept, undetermined, notes=(wording.withheld(item),))


def _class(findings: Findings) -> Iterator[Observation]:
    found = findings.classification
    if found is not None:
        notes = (wording.classification(findings),)
        yield Observation("CE", found.concept, coded(found.value), notes=notes)

"""Made findings and studies in many shapes, for the tests of the report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

import numpy as np

from dicom_node.report import NodeIdentity, StudyContext
from inference.course import course_of
from inference.exclusions import UNFAMILIAR
from inference.pipelines.echo_words import WORDS, words_without_estimate
from inference.types import (
    Assessment,
    Code,
    Earlier,
    Evidence,
    Exclusion,
    Findings,
    InstanceRef,
    Measurement,
    ModelCard,
    Presence,
    Reference,
    Standing,
    StudyRef,
)

MADE_AT = datetime(2026, 11, 21, 10, 15, 30, tzinfo=UTC)
IDENTITY = NodeIdentity(
    manufacturer="echonode",
    model_name="echonode",
    software_version="0.1.0",
    station_name="ECHONODE",
    institution_name="Example Hospital",
)
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
US_MULTIFRAME_RETIRED = "1.2.840.10008.5.1.4.1.1.3"
US_STILL = "1.2.840.10008.5.1.4.1.1.6.1"
ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
ECHO_SR = "1.2.840.10008.5.1.4.1.1.88.33"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
MMHG = Code("mm[Hg]", "UCUM", "mmHg")
WOOD = Code("[wood'U]", "UCUM", "Wood units")

_PH = Code("70995007", "SCT", "Pulmonary hypertension")
_PRECAPILLARY = Code("PRECAPILLARY-PH", "99ECHONODE", "Pre-capillary pulmonary hypertension")
_STILL = Code("EXCL-STILL", "99ECHONODE", "Not a cine loop")
_COLOUR = Code("EXCL-COLOUR", "99ECHONODE", "Colour flow or Doppler data")
_CLASS = Code("EXCL-CLASS", "99ECHONODE", "Not an ultrasound image")


def study(**changes: object) -> StudyContext:
    """A study of a patient with everything filled in."""
    context = StudyContext(
        study_instance_uid="1.2.826.0.1.3680043.8.498.1",
        revision=1,
        patient_name="Müller^Änne",
        patient_id="MARK-4711",
        issuer_of_patient_id="HOSP",
        patient_birth_date="19560412",
        patient_sex="F",
        study_id="S1",
        study_date="20261121",
        study_time="090000",
        accession_number="ACC1",
        referring_physician_name="House^Gregory",
        study_description="Transthorakale Echokardiographie",
    )
    return replace(context, **changes)  # type: ignore[arg-type]


def instance(
    number: int, sop_class_uid: str = US_MULTIFRAME, frames: int = 30, **changes: object
) -> InstanceRef:
    ref = InstanceRef(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=f"1.2.826.0.1.3680043.8.498.1.1.{number}",
        series_instance_uid=f"1.2.826.0.1.3680043.8.498.1.{1 + number % 3}",
        instance_number=number,
        number_of_frames=frames,
        modality="US",
    )
    return replace(ref, **changes)  # type: ignore[arg-type]


def measurements(*, calibrated: bool = True) -> tuple[Measurement, ...]:
    esc = "2022 ESC/ERS Guidelines"

    def bounds(low: float, high: float) -> tuple[float, float, float] | tuple[None, None, None]:
        return (low, high, 0.9) if calibrated else (None, None, None)

    return (
        Measurement(
            "mPAP",
            Code("8414-5", "LN", "Pulmonary artery Mean blood pressure"),
            38.2,
            MMHG,
            *bounds(31.4, 46.9),
            20,
            esc,
            site=Code("81040000", "SCT", "Pulmonary artery"),
            equivalent=Code("250770003", "SCT", "Pulmonary artery mean pressure"),
        ),
        Measurement(
            "PVR",
            Code("276901002", "SCT", "Pulmonary Vascular Resistance"),
            4.63,
            WOOD,
            *bounds(2.9, 7.2),
            2,
            esc,
            decimals=1,
        ),
        Measurement(
            "PAWP",
            Code("118433006", "SCT", "Pulmonary Capillary Wedge Pressure"),
            11.8,
            MMHG,
            *bounds(6.5, 16.2),
            15,
            esc,
        ),
    )


def assessments(
    presence: Presence = Presence.PRESENT, *, calibrated: bool = True
) -> tuple[Assessment, ...]:
    rule = "estimated mPAP > 20 mmHg"
    return (
        Assessment("PH", _PH, presence, rule, 0.93 if calibrated else None),
        Assessment(
            "pre-capillary PH",
            _PRECAPILLARY,
            presence,
            f"{rule}, PVR > 2 Wood U and PAWP <= 15 mmHg",
            0.81 if calibrated else None,
        ),
    )


def loops(count: int, *, sop_class_uid: str = US_MULTIFRAME) -> tuple[Evidence, ...]:
    raw = np.linspace(2.0, 0.2, count) ** 2
    weights = raw / raw.sum()
    return tuple(
        Evidence(
            instance=instance(index + 1, sop_class_uid, description="A4C" if index == 0 else ""),
            frames=tuple(range(3, 23, 2)),
            rank=index + 1,
            weight=float(weight),
            score=float(weight),
            effects={"mPAP": -20 * float(weight), "PVR": 1.2 * float(weight), "PAWP": 0.04},
            relevant=index < max(1, count // 3),
            notes=("no R wave found: frames spread over the whole loop",) if index == 1 else (),
            preview=_fan(index),
        )
        for index, weight in enumerate(weights)
    )


def _fan(seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """A grey sector with a dark chamber, as a preview."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:360, 0:480]
    sector = (np.abs(np.arctan2(x - 240, y + 1e-6)) < 0.7) & (np.hypot(x - 240, y) < 350)
    chamber = ((x - 240) / 60) ** 2 + ((y - 200) / 90) ** 2 < 1
    speckle = rng.integers(40, 170, x.shape)
    return np.where(sector, np.where(chamber, 12, speckle), 0).astype(np.uint8)


def exclusions() -> tuple[Exclusion, ...]:
    """Stills and colour loops, and objects that are no images at all."""
    return (
        Exclusion(instance(201, US_STILL, 1), _STILL, "one frame only"),
        Exclusion(instance(202, US_STILL, 1), _STILL, "one frame only"),
        Exclusion(instance(203), _COLOUR, "two regions, one of them colour"),
        Exclusion(instance(204, ECG, 1, modality="ECG"), _CLASS, "12-lead ECG"),
        Exclusion(instance(205, ECHO_SR, 1, modality="SR"), _CLASS, "report of the cart"),
        Exclusion(instance(206, PDF, 1, modality="DOC"), _CLASS, "document"),
        Exclusion(instance(207, "1.2.3.4.5", 1, instance_number=None), _CLASS, "unknown class"),
    )


def unfamiliar(count: int) -> tuple[Exclusion, ...]:
    """Loops unlike those of the training."""
    detail = "distance from the training loops 2.30 times the limit"
    return tuple(Exclusion(instance(300 + n), UNFAMILIAR, detail) for n in range(count))


def card(standing: Standing = Standing.RESEARCH) -> ModelCard:
    return ModelCard(
        algorithm="echo_haemodynamics",
        version="1.0.0",
        bundle_name="rhh-resnet50",
        bundle_version="2026.1",
        bundle_digest="9f31c2" * 10 + "abcd",
        device_uid="2.25.123456789",
        standing=standing,
        intended_use="Research on adults who are examined for suspected pulmonary hypertension.",
        parameters=("10 frames of the first heartbeat, 256 x 256",),
    )


def estimate(
    count: int = 5,
    *,
    standing: Standing = Standing.RESEARCH,
    calibrated: bool = True,
    presence: Presence = Presence.PRESENT,
    excluded: tuple[Exclusion, ...] | None = None,
) -> Findings:
    return Findings(
        title="Pulmonary haemodynamics estimated from echocardiography",
        model=card(standing),
        measurements=measurements(calibrated=calibrated),
        assessments=assessments(presence, calibrated=calibrated),
        evidence=loops(count),
        exclusions=exclusions() if excluded is None else excluded,
        limitations=("Not validated in patients with congenital heart disease.",),
        words=WORDS,
    )


def abstention(excluded: tuple[Exclusion, ...] | None = None) -> Findings:
    left_out = exclusions() if excluded is None else excluded
    return Findings(
        title="Pulmonary haemodynamics estimated from echocardiography",
        model=card(),
        exclusions=left_out,
        abstention="no instance of the study is a usable B-mode cine loop.",
        words=words_without_estimate(item.instance for item in left_out),
    )


def before(day: str, value: float, *, bundle: str = "", low: float = 0, high: float = 0) -> Earlier:
    """What an earlier study said of mPAP; by the present bundle, unless another is named."""
    bounds = (low or value - 8, high or value + 8)
    mpap = replace(measurements()[0], value=value, low=bounds[0], high=bounds[1])
    uid = f"1.2.826.0.1.3680043.8.498.9.{int(day)}"
    return Earlier(StudyRef(uid, f"{day}091500"), bundle or card().bundle_digest, {"mPAP": mpap})


def beside_earlier(
    *earlier: Earlier, references: Mapping[str, Sequence[Reference]] = MappingProxyType({})
) -> Findings:
    """An estimate beside earlier ones; the usual ones are three, the oldest of another bundle."""
    found = estimate()
    usual = (
        before("20230105", 27, bundle="e" * 64),
        before("20240304", 24.2),
        before("20250310", 31),
    )
    present = StudyRef(study().study_instance_uid, "20261121090000")
    return replace(found, course=course_of(found, present, earlier or usual, references))

"""A study of a patient who does not exist, in every form in which a report can be sent.

No real study goes into it. Each examination makes a study of its own, since an archive that has an
instance already tells nothing by taking it again; the patient is always the same, so that whoever
tidies up finds all of them by one Patient ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dicom_node.intake.rejection_reasons import PATIENT_SAFETY
from dicom_node.report import (
    KINDS,
    BuiltObject,
    DocumentRef,
    NodeIdentity,
    Notice,
    StudyContext,
    build,
)
from dicom_node.report.uids import uid_of
from inference.exclusions import SCHEME
from inference.types import (
    Assessment,
    Code,
    Evidence,
    Findings,
    InstanceRef,
    Measurement,
    ModelCard,
    Presence,
    Standing,
)
from storage.work.results import LAST_RESORT

PATIENT_ID = "ECHONODE-TEST"
PATIENT_NAME = "ECHONODE^TEST"

_TITLE = "Connection test"
_WHY_WITHDRAWN = "The connection test is over; no such patient exists."
_NO_UNITS = Code("1", "UCUM", "no units")
_VALUE = Code("TEST-VALUE", SCHEME, "Value of a connection test")
_VERDICT = Code("TEST-VERDICT", SCHEME, "Verdict of a connection test")


@dataclass(frozen=True, slots=True)
class SyntheticStudy:
    """The study, and its objects in every kind and rendition."""

    context: StudyContext
    objects: tuple[BuiltObject, ...]
    identity: NodeIdentity
    made_at: datetime

    def renditions(self, kind: str) -> tuple[BuiltObject, ...]:
        """The objects of a kind, of which the first that is accepted is sent."""
        found = [item for item in self.objects if item.kind == kind]
        return tuple(sorted(found, key=lambda item: item.preference))

    def substitutes(self, kind: str) -> tuple[BuiltObject, ...]:
        """What is sent where every rendition of a kind is refused."""
        return tuple(item for other in LAST_RESORT.get(kind, ()) for item in self.renditions(other))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of object there are, the report first."""
        return tuple(dict.fromkeys(item.kind for item in self.objects))


def synthetic_study(identity: NodeIdentity, made_at: datetime) -> SyntheticStudy:
    """Make the study; `made_at` is timezone-aware and sets this study apart from others.

    Its report rests on a picture that is sent beside it, so that no reference leads nowhere.

    Raises:
        ReportError: our own check found an object unfit.
    """
    context = _context(identity, made_at)
    [picture] = build(_abstention(), context, identity=identity, made_at=made_at, kinds={"SC"})
    others = build(
        _findings(picture),
        _next(context),
        identity=identity,
        made_at=made_at,
        kinds=KINDS - {"SC"},
    )
    return SyntheticStudy(context, (*others, picture), identity, made_at)


def rejection_note(study: SyntheticStudy, sent: Sequence[BuiltObject]) -> BuiltObject:
    """The note that takes back what was sent, for an archive that obeys such notes (IHE IOCM).

    Raises:
        ReportError: our own check found it unfit.
    """
    notice = Notice(
        withdrawn=_WHY_WITHDRAWN,
        rejection=PATIENT_SAFETY,
        rejects=tuple(
            DocumentRef(item.sop_class_uid, item.sop_instance_uid, item.series_instance_uid)
            for item in sent
        ),
    )
    [note] = build(
        _abstention(),
        _next(_next(study.context)),
        identity=study.identity,
        made_at=study.made_at,
        notice=notice,
        kinds={"RN"},
    )
    return note


def _context(identity: NodeIdentity, made_at: datetime) -> StudyContext:
    uid = uid_of("echonode", "connection test", identity.station_name, made_at.isoformat())
    local = made_at.astimezone()
    return StudyContext(
        study_instance_uid=uid,
        revision=1,
        patient_name=PATIENT_NAME,
        patient_id=PATIENT_ID,
        patient_sex="O",
        study_id="TEST",
        study_date=local.strftime("%Y%m%d"),
        study_time=local.strftime("%H%M%S"),
        study_description="echonode connection test, no patient",
    )


def _next(context: StudyContext) -> StudyContext:
    return replace(context, revision=context.revision + 1)


def _abstention() -> Findings:
    return Findings(
        title=_TITLE, model=_model(), abstention="this is a test of the connection, no patient."
    )


def _findings(picture: BuiltObject) -> Findings:
    """One value, which is zero, and one input, which is a picture: a report in its full shape."""
    instance = InstanceRef(
        sop_class_uid=picture.sop_class_uid,
        sop_instance_uid=picture.sop_instance_uid,
        series_instance_uid=picture.series_instance_uid,
        instance_number=1,
        modality="OT",
    )
    rule = "none: this is a test"
    value = Measurement("test", _VALUE, 0.0, _NO_UNITS, None, None, None, 20, rule)
    return Findings(
        title=_TITLE,
        model=_model(),
        measurements=(value,),
        assessments=(Assessment("test", _VERDICT, Presence.UNDETERMINED, rule),),
        evidence=(
            Evidence(
                instance,
                frames=(1,),
                rank=1,
                weight=1.0,
                score=1.0,
                effects={"test": 0.0},
                relevant=True,
            ),
        ),
        limitations=("A test of the connection between two systems.",),
    )


def _model() -> ModelCard:
    return ModelCard(
        algorithm="connection_test",
        version="1",
        bundle_name="none",
        bundle_version="1",
        bundle_digest="0" * 64,
        device_uid=uid_of("echonode", "connection test"),
        standing=Standing.UNTRAINED,
        intended_use="To try the connection between this node and another system.",
    )

"""The job `conclude`: from everything prepared of a study to findings, or to why there are none."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType

from pydicom import Dataset

from dicom_node.corrections.effects import reason_of, shown_instances, standing_instances
from dicom_node.retry_decision import LIES_IN_THE_INSTANCE
from dicom_node.work.feature_codec import decode_features
from dicom_node.work.findings_codec import decode_findings
from dicom_node.work.prepare import settings_of
from dicom_node.work.refused import refused_sentences
from inference import types
from inference.course import course_of, followed, references_until
from inference.earlier import ReferenceValues
from inference.errors import InferenceError, PipelineUnusableError
from inference.exclusions import (
    FILES_REMOVED,
    NO_ESTIMATE,
    NOT_ANALYSED,
    PATIENT_DIFFERS,
    SCHEME,
    UNUSED,
)
from inference.pipeline import Pipeline, require_own
from inference.types import (
    Code,
    Earlier,
    Encoded,
    Evidence,
    Exclusion,
    Findings,
    InstanceRef,
    Reference,
    Rejected,
    StudyRef,
)
from storage.reading.cases import Case, CaseInstance
from storage.work.results import Preparation

_PATIENT_CONFLICT = (
    "the study holds instances of more than one patient. Correct it at the archive, then send it "
    "again."
)
_NOT_PREPARED_ANEW = (
    "it was not analysed with the current model, and its pixel data are no longer kept"
)
_ADMINISTRATOR = "Please tell the administrator."
_FAILED = f"technical failure: the model gave no plausible values. {_ADMINISTRATOR}"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The instances of a case, told apart: what can be fused, and what is left out and why.

    `earlier` are the estimates of the patient's earlier studies, the oldest first, and `references`
    what was measured of the patient otherwise, by the names of quantities.
    """

    encoded: tuple[Encoded, ...]
    exclusions: tuple[Exclusion, ...]
    input_digest: str
    earlier: tuple[Earlier, ...] = ()
    references: Mapping[str, tuple[Reference, ...]] = field(default_factory=dict)


def unprepared_instances(
    case: Case, pipeline: Pipeline, profiles: Mapping[str, str], *, retry_failed: bool
) -> list[int]:
    """Instances that were not prepared with this bundle, version and settings, and can be.

    Failed ones are included only with `retry_failed`. `profiles` are those of peers that have their
    own. Of an instance whose file is gone, what was made under other settings stands.
    """
    if case.withdrawn is not None:
        return []
    return [
        item.instance_id
        for item in _standing(case)
        if not _prepared_so(item, pipeline, profiles)
        and _reads(pipeline, item)
        and not item.removed
        and (item.prepare_failed is None or retry_failed)
    ]


def lacking_instances(case: Case, pipeline: Pipeline) -> list[CaseInstance]:
    """Instances for this pipeline that could not be analysed for no fault of their own.

    An instance that cannot be analysed for a reason of its own is left out. One that could not be
    read, or for which memory ran out, might have changed the estimate.
    """
    return [
        item
        for item in _standing(case)
        if _prepared(item, pipeline) is None
        and not item.patient_differs
        and _would_take_part(item)
        and _reads(pipeline, item)
    ]


def _standing(case: Case) -> list[CaseInstance]:
    """What nobody has taken back, of the study and of its companions."""
    return [*standing_instances(case), *case.companions]


def gather(
    case: Case, pipeline: Pipeline, reference_values: ReferenceValues = MappingProxyType({})
) -> Gathered:
    """Separate the selected instances from the rest; both in the order of their UIDs.

    `reference_values` are those of all patients.
    """
    encoded: list[Encoded] = []
    exclusions: list[Exclusion] = []
    identity = hashlib.sha256(
        f"{pipeline.name} {pipeline.version} {pipeline.model.bundle_digest} "
        f"{case.patient_conflict}".encode()
    )
    # What the report says of the algorithm follows from settings too.
    identity.update("\n".join(pipeline.model.parameters).encode())
    if case.identification:
        identity.update(json.dumps(case.identification, sort_keys=True).encode())
    for missing in case.refused:
        identity.update(f"\nrefused {missing.sop_instance_uid} {missing.status}".encode())
    for item in case.instances:
        if item.rejected:
            identity.update(f"\n{item.sop_instance_uid} {item.rejected}".encode())
    for item in _told(case):
        exclusion = _exclusion(item, pipeline)
        if exclusion:
            exclusions.append(replace(exclusion, study=_study_of(item, case)))
        else:
            encoded.append(_encoded(item, case))
            beside = f" {item.of.at}" if item.of else ""
            identity.update(f"\n{item.sop_instance_uid} {item.digest}{beside}".encode())
    for item in lacking_instances(case, pipeline):
        identity.update(f"\n{item.sop_instance_uid} lacking".encode())
    earlier = tuple(_earlier(case, pipeline))
    for estimate in earlier:
        identity.update(f"\nearlier {json.dumps(asdict(estimate), sort_keys=True)}".encode())
    references = _references(case, reference_values)
    if any(references.values()):
        identity.update(f"\nreferences {sorted(references.items())}".encode())
    return Gathered(tuple(encoded), tuple(exclusions), identity.hexdigest(), earlier, references)


def _references(
    case: Case, reference_values: ReferenceValues
) -> Mapping[str, tuple[Reference, ...]]:
    """What was measured of the patient until the day of the study."""
    of_patient = reference_values.get(case.patient_id.strip(), {})
    study = StudyRef(at=case.at)
    return {name: tuple(references_until(study, found)) for name, found in of_patient.items()}


def _earlier(case: Case, pipeline: Pipeline) -> Iterator[Earlier]:
    """What was estimated before by a bundle of the same standing.

    Beside an estimate for patients, a number of an untrained model or a phantom's means nothing.
    """
    for item in case.earlier:
        findings = decode_findings(item.findings_json)
        if findings.model.standing is pipeline.model.standing:
            study = StudyRef(item.study.study_instance_uid, item.study.at)
            yield Earlier(study, item.bundle_digest, followed(findings))


def input_digest(
    case: Case,
    gathered: Gathered,
    findings: Findings,
    pipeline: Pipeline,
    reference_values: ReferenceValues,
) -> str:
    """Identifies what findings rest on: a companion that they do not name has no part in them."""
    told: tuple[Evidence | Exclusion, ...] = (*findings.evidence, *findings.exclusions)
    named = {item.instance.sop_instance_uid for item in told}
    used = tuple(item for item in case.companions if item.sop_instance_uid in named)
    if used == case.companions:
        return gathered.input_digest
    return gather(replace(case, companions=used), pipeline, reference_values).input_digest


def abandoned(case: Case, pipeline: Pipeline, why: str) -> Findings:
    """Findings of a study whose analysis failed for good, made from stored texts only."""
    excluded = [_exclusion(item, pipeline) or _unused(_reference(item)) for item in _told(case)]
    return _with_refused(
        case, pipeline.abstain(excluded, f"technical failure ({why}). {_ADMINISTRATOR}")
    )


def conclude(case: Case, gathered: Gathered, pipeline: Pipeline) -> Findings:
    """Fuse what was made of a study; a failure of the model becomes an abstention."""
    return _with_refused(case, _concluded(case, gathered, pipeline))


def _concluded(case: Case, gathered: Gathered, pipeline: Pipeline) -> Findings:
    if case.patient_conflict:
        return pipeline.abstain(_everything(gathered), _PATIENT_CONFLICT)
    lacking = lacking_instances(case, pipeline)
    if lacking:
        return pipeline.abstain(_everything(gathered), _told_lacking(case, lacking))
    try:
        study = StudyRef(case.study_instance_uid, case.at)
        known = types.Case(gathered.encoded, study, gathered.earlier)
        findings = pipeline.conclude(known, gathered.exclusions)
    except InferenceError:
        return pipeline.abstain(_everything(gathered), _FAILED)
    require_own(pipeline, findings, Findings)
    course = course_of(findings, study, gathered.earlier, gathered.references)
    return replace(findings, course=course)


def _told(case: Case) -> list[CaseInstance]:
    """What a report tells of, in the order of the UIDs."""
    told = [*shown_instances(case), *case.companions]
    return sorted(told, key=lambda item: item.sop_instance_uid)


def _everything(gathered: Gathered) -> list[Exclusion]:
    """All instances of a study of which no estimate is made, the selected ones among them."""
    unused = [_unused(item.instance) for item in gathered.encoded]
    return sorted([*gathered.exclusions, *unused], key=lambda item: item.instance.sop_instance_uid)


def _unused(instance: InstanceRef) -> Exclusion:
    return Exclusion(instance, NO_ESTIMATE, UNUSED)


def _with_refused(case: Case, findings: Findings) -> Findings:
    """Add the refused instances to the limitations: the examination may be incomplete."""
    told = refused_sentences(case.refused)
    return replace(findings, limitations=(*findings.limitations, *told)) if told else findings


def _told_lacking(case: Case, lacking: Sequence[CaseInstance]) -> str:
    causes = {item.prepare_failed or _NOT_PREPARED_ANEW for item in lacking}
    all_of = f"the study's {len(case.instances)}"
    if case.companions:
        all_of = f"the {len(case.instances) + len(case.companions)}"
    return (
        f"{len(lacking)} of {all_of} instances could not be analysed: "
        f"{'; '.join(sorted(causes))}. An estimate from the rest could be wrong."
    )


def _prepared(item: CaseInstance, pipeline: Pipeline) -> Preparation | None:
    """What was made of an instance by the present rules, with the present bundle."""
    made = item.preparation
    if made is None or made.pipeline_version != pipeline.version:
        return None
    return made if made.bundle_digest == pipeline.model.bundle_digest else None


def _prepared_so(item: CaseInstance, pipeline: Pipeline, profiles: Mapping[str, str]) -> bool:
    """Whether an instance was prepared as it would be now, the settings included."""
    made = _prepared(item, pipeline)
    return made is not None and made.settings == settings_of(pipeline, profiles.get(item.peer))


def _reads(pipeline: Pipeline, item: CaseInstance) -> bool:
    return item.sop_class_uid in pipeline.business.reads


def _would_take_part(item: CaseInstance) -> bool:
    """Whether an instance without a preparation may take part, and nothing shows that it is bad."""
    if item.preparation is not None and not item.preparation.selected:
        return False  # so the pipeline found with another bundle, or in another version
    return item.failure_code not in LIES_IN_THE_INSTANCE


def _exclusion(item: CaseInstance, pipeline: Pipeline) -> Exclusion | None:
    reference = _reference(item)
    rejected = reason_of(item)
    if rejected is not None:
        return Exclusion(reference, rejected, "taken back by a rejection note")
    if item.patient_differs:
        return Exclusion(reference, PATIENT_DIFFERS, "another patient's identity than the study's")
    preparation = _prepared(item, pipeline)
    if preparation is None:
        return _unprepared(item, pipeline)
    if preparation.selected:
        return None
    reason = Code(preparation.reason_code, SCHEME, preparation.reason_meaning)
    return Exclusion(reference, reason, preparation.detail)


def _unprepared(item: CaseInstance, pipeline: Pipeline) -> Exclusion:
    if not _reads(pipeline, item):
        return _unread(item, pipeline)
    if item.removed:
        return Exclusion(_reference(item), FILES_REMOVED, _NOT_PREPARED_ANEW)
    code = item.prepare_failed or "UNKNOWN"
    return Exclusion(_reference(item), NOT_ANALYSED, f"technical failure ({code})")


def _unread(item: CaseInstance, pipeline: Pipeline) -> Exclusion:
    """Why an instance of a class that the pipeline does not read takes no part.

    Nobody opened its file: the pipeline judges it by what the index knows of it.
    """
    header = Dataset()
    header.SOPClassUID = item.sop_class_uid
    header.SOPInstanceUID = item.sop_instance_uid
    header.SeriesInstanceUID = item.series_instance_uid
    header.Modality = item.modality
    if item.instance_number.isdigit():
        header.InstanceNumber = item.instance_number
    judged = pipeline.select(header)
    if not isinstance(judged, Rejected):
        why = f"it selects SOP class {item.sop_class_uid}, which it does not read"
        raise PipelineUnusableError(pipeline.name, why)
    return Exclusion(judged.instance, judged.reason, judged.detail)


def _encoded(item: CaseInstance, case: Case) -> Encoded:
    if item.preparation is None or item.preparation.features is None:
        raise InferenceError("a selected instance has no stored features")
    features = decode_features(item.preparation.features)
    return Encoded(_reference(item), features, _study_of(item, case))


def _study_of(item: CaseInstance, case: Case) -> StudyRef:
    of = item.of or case
    return StudyRef(of.study_instance_uid, of.at)


def _reference(item: CaseInstance) -> InstanceRef:
    """How a report points at an instance; of another study, the description says so."""
    reference = _kept_reference(item)
    if item.of is None:
        return reference
    day = item.of.at
    whence = f"study of {day[:4]}-{day[4:6]}-{day[6:8]}"
    described = "; ".join(filter(None, [reference.description, whence]))
    return replace(reference, description=described)


def _kept_reference(item: CaseInstance) -> InstanceRef:
    if item.preparation:
        return InstanceRef(**json.loads(item.preparation.instance_json))
    return InstanceRef(
        item.sop_class_uid,
        item.sop_instance_uid,
        item.series_instance_uid,
        modality=item.modality,
    )


def is_business(case: Case, pipeline: Pipeline) -> bool:
    """Whether a study is the pipeline's to report, by its instances that still stand."""
    anchors = pipeline.business.anchors
    return any(item.sop_class_uid in anchors for item in standing_instances(case))

"""The job `conclude`: from everything prepared of a study to findings, or to why there are none."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from dicom_node.corrections.effects import reason_of, shown_instances, standing_instances
from dicom_node.work.feature_codec import decode_features
from inference.errors import InferenceError
from inference.exclusions import (
    FILES_REMOVED,
    NOT_ANALYSED,
    PATIENT_DIFFERS,
    SCHEME,
    STUDY_NOT_ANALYSED,
)
from inference.pipeline import Pipeline
from inference.types import Code, Encoded, Exclusion, Findings, InstanceRef
from storage.results import Case, CaseInstance

_PATIENT_CONFLICT = (
    "the study holds instances of more than one patient. Correct it at the archive, then send it "
    "again."
)
_NOT_PREPARED_ANEW = (
    "it was not analysed with the present model, and the node has removed its pixel data"
)
_FAILED = "the analysis failed and gave no plausible values."


@dataclass(frozen=True, slots=True)
class Gathered:
    """The instances of a case, told apart: what can be fused, and what is left out and why."""

    encoded: tuple[Encoded, ...]
    exclusions: tuple[Exclusion, ...]
    input_digest: str


def stale_instances(case: Case, bundle_digest: str) -> list[int]:
    """Instances that were prepared with another bundle and can be prepared anew."""
    if case.withdrawn is not None:
        return []
    return [
        item.instance_id
        for item in standing_instances(case)
        if _is_stale(item, bundle_digest) and not item.removed
    ]


def gather(case: Case, pipeline: Pipeline) -> Gathered:
    """Tell the selected loops from the rest; both in the order of their UIDs."""
    encoded: list[Encoded] = []
    exclusions: list[Exclusion] = []
    identity = hashlib.sha256(
        f"{pipeline.name} {pipeline.version} {pipeline.model.bundle_digest} "
        f"{case.patient_conflict}".encode()
    )
    if case.identification:
        identity.update(json.dumps(case.identification, sort_keys=True).encode())
    for item in case.instances:
        if item.rejected:
            identity.update(f"\n{item.sop_instance_uid} {item.rejected}".encode())
    for item in sorted(shown_instances(case), key=lambda item: item.sop_instance_uid):
        exclusion = _exclusion(item, pipeline.model.bundle_digest)
        if exclusion:
            exclusions.append(exclusion)
        else:
            encoded.append(_encoded(item))
            identity.update(f"\n{item.sop_instance_uid} {item.digest}".encode())
    return Gathered(tuple(encoded), tuple(exclusions), identity.hexdigest())


def abandoned(case: Case, pipeline: Pipeline, why: str) -> Findings:
    """Findings of a study whose analysis failed for good; only stored words are looked at."""
    digest = pipeline.model.bundle_digest
    shown = sorted(shown_instances(case), key=lambda item: item.sop_instance_uid)
    excluded = [_exclusion(item, digest) or _unused(_reference(item)) for item in shown]
    return pipeline.abstain(excluded, f"the analysis failed: {why}.")


def conclude(case: Case, gathered: Gathered, pipeline: Pipeline) -> Findings:
    """Fuse the loops of a study; a failure of the model is told to the reader as an abstention."""
    if case.patient_conflict:
        return pipeline.abstain(_everything(gathered), _PATIENT_CONFLICT)
    try:
        return pipeline.conclude(gathered.encoded, gathered.exclusions)
    except InferenceError:
        return pipeline.abstain(_everything(gathered), _FAILED)


def _everything(gathered: Gathered) -> list[Exclusion]:
    """All instances of a study of which no estimate is made, the selected loops among them."""
    unused = [_unused(loop.instance) for loop in gathered.encoded]
    return sorted([*gathered.exclusions, *unused], key=lambda item: item.instance.sop_instance_uid)


def _unused(loop: InstanceRef) -> Exclusion:
    return Exclusion(loop, STUDY_NOT_ANALYSED, "selected for analysis, but not used")


def _is_stale(item: CaseInstance, bundle_digest: str) -> bool:
    if item.preparation is None:
        return item.prepare_failed is None
    return item.preparation.bundle_digest != bundle_digest


def _exclusion(item: CaseInstance, bundle_digest: str) -> Exclusion | None:
    reference = _reference(item)
    rejected = reason_of(item)
    if rejected is not None:
        return Exclusion(reference, rejected, "taken back by a rejection note")
    if item.patient_differs:
        return Exclusion(reference, PATIENT_DIFFERS, "another patient's identity than the study's")
    if item.removed and _is_stale(item, bundle_digest):
        return Exclusion(reference, FILES_REMOVED, _NOT_PREPARED_ANEW)
    preparation = item.preparation
    if preparation is None:
        code = item.prepare_failed or "UNKNOWN"
        return Exclusion(reference, NOT_ANALYSED, f"the analysis of this instance failed: {code}")
    if preparation.selected:
        return None
    reason = Code(preparation.reason_code, SCHEME, preparation.reason_meaning)
    return Exclusion(reference, reason, preparation.detail)


def _encoded(item: CaseInstance) -> Encoded:
    if item.preparation is None or item.preparation.features is None:
        raise InferenceError("a selected instance has no stored features")
    return Encoded(_reference(item), decode_features(item.preparation.features))


def _reference(item: CaseInstance) -> InstanceRef:
    if item.preparation:
        return InstanceRef(**json.loads(item.preparation.instance_json))
    return InstanceRef(
        item.sop_class_uid,
        item.sop_instance_uid,
        item.series_instance_uid,
        modality=item.modality,
    )


def sop_classes(case: Case) -> Sequence[str]:
    """The SOP classes of a study's instances that still stand."""
    return sorted({item.sop_class_uid for item in standing_instances(case)})

"""The job `conclude`: from everything prepared of a study to findings, or to why there are none."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from dicom_node.work.feature_codec import decode_features
from inference.errors import BundleError, InferenceError
from inference.exclusions import NOT_ANALYSED, PATIENT_DIFFERS, SCHEME
from inference.pipeline import Pipeline
from inference.types import Code, Encoded, Exclusion, Findings, InstanceRef
from storage.results import Case, CaseInstance

_PATIENT_CONFLICT = (
    "The study holds instances of more than one patient. No estimate is made until the archive "
    "is corrected and the study is sent again."
)
_FAILED = "The analysis failed and gave no plausible values. No estimate is made from this study."


@dataclass(frozen=True, slots=True)
class Gathered:
    """The instances of a case, told apart: what can be fused, and what is left out and why."""

    encoded: tuple[Encoded, ...]
    exclusions: tuple[Exclusion, ...]
    input_digest: str


def stale_instances(case: Case, bundle_digest: str) -> list[int]:
    """Instances that were prepared with another bundle and must be prepared anew."""
    return [
        item.instance_id
        for item in case.instances
        if (item.preparation is None and item.prepare_failed is None)
        or (item.preparation is not None and item.preparation.bundle_digest != bundle_digest)
    ]


def gather(case: Case, pipeline: Pipeline) -> Gathered:
    """Tell the selected loops from the rest; both in the order of their UIDs."""
    encoded: list[Encoded] = []
    exclusions: list[Exclusion] = []
    identity = hashlib.sha256(
        f"{pipeline.name} {pipeline.version} {pipeline.model.bundle_digest} "
        f"{case.patient_conflict}".encode()
    )
    for item in sorted(case.instances, key=lambda item: item.sop_instance_uid):
        exclusion = _exclusion(item)
        if exclusion:
            exclusions.append(exclusion)
        else:
            encoded.append(_encoded(item))
            identity.update(f"\n{item.sop_instance_uid} {item.digest}".encode())
    return Gathered(tuple(encoded), tuple(exclusions), identity.hexdigest())


def conclude(case: Case, gathered: Gathered, pipeline: Pipeline) -> Findings:
    """Fuse the loops of a study; a failure of the model is told to the reader as an abstention.

    Raises:
        inference.errors.BundleError: the features do not fit the loaded bundle.
    """
    if case.patient_conflict:
        return pipeline.abstain(gathered.exclusions, _PATIENT_CONFLICT)
    try:
        return pipeline.conclude(gathered.encoded, gathered.exclusions)
    except BundleError:
        raise
    except InferenceError:
        return pipeline.abstain(gathered.exclusions, _FAILED)


def _exclusion(item: CaseInstance) -> Exclusion | None:
    reference = _reference(item)
    if item.patient_differs:
        return Exclusion(reference, PATIENT_DIFFERS, "another patient's identity than the study's")
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
    """The SOP classes of a study's instances."""
    return sorted({item.sop_class_uid for item in case.instances})
